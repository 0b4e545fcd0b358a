//! When a camera's picture is sent.

use std::time::Duration;

/// When a picture is sent. The first goes when the camera is there, whatever this says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// Every ten seconds.
    TenSec,
    /// Every half minute.
    ThirtySec,
    /// Every minute.
    SixtySec,
    /// At each layer.
    EachLayer,
    /// At each fifth layer.
    FifthLayer,
    /// When somebody asks for one.
    Manual,
}

impl Trigger {
    /// All of them.
    pub(crate) const ALL: [Self; 6] =
        [Self::TenSec, Self::ThirtySec, Self::SixtySec, Self::EachLayer, Self::FifthLayer, Self::Manual];

    /// Connect's word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::TenSec => "TEN_SEC",
            Self::ThirtySec => "THIRTY_SEC",
            Self::SixtySec => "SIXTY_SEC",
            Self::EachLayer => "EACH_LAYER",
            Self::FifthLayer => "FIFTH_LAYER",
            Self::Manual => "MANUAL",
        }
    }

    /// The one of that word, in any case.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trigger| trigger.word().eq_ignore_ascii_case(word))
    }

    /// Time from one picture to the next, where it is that.
    pub(super) fn interval(self) -> Option<Duration> {
        match self {
            Self::TenSec => Some(Duration::from_secs(10)),
            Self::ThirtySec => Some(Duration::from_secs(30)),
            Self::SixtySec => Some(Duration::from_secs(60)),
            Self::EachLayer | Self::FifthLayer | Self::Manual => None,
        }
    }

    /// How many layers there are from one picture to the next, where it is that.
    pub(super) fn layers(self) -> Option<u32> {
        match self {
            Self::EachLayer => Some(1),
            Self::FifthLayer => Some(5),
            _ => None,
        }
    }
}

/// Follows the layers of a job, and tells when a picture of one is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Layers {
    /// The highest one since the job began.
    highest: Option<u32>,
}

impl Layers {
    /// Takes notice of the layer that is printed, if one is; whether a picture is due, each so many layers.
    pub(super) fn see(&mut self, layer: Option<u32>, each: u32) -> bool {
        let Some(layer) = layer else {
            self.highest = None;
            return false;
        };
        let step = |layer: u32| layer.checked_div(each).unwrap_or_default();
        let due = match self.highest {
            // A job is found under way, or begins.
            None => layer > 0 && layer.is_multiple_of(each),
            // A reckoned one may go back for a moment, when the nozzle is lifted: that is none.
            Some(highest) if layer <= highest && layer > 0 => return false,
            Some(highest) => step(layer) > step(highest),
        };
        self.highest = Some(layer);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_connect_in_any_case() {
        for trigger in Trigger::ALL {
            assert_eq!(Trigger::from_word(&trigger.word().to_lowercase()), Some(trigger));
            assert!(trigger.interval().is_none() || trigger.layers().is_none());
        }
        assert_eq!(Trigger::from_word("often"), None);
    }

    #[test]
    fn layers_make_pictures() {
        // Each: the layer that is seen, and whether a picture is due at each, and at each fifth.
        let course = [
            (None, false, false),
            (Some(0), false, false),
            (Some(1), true, false),
            (Some(1), false, false),
            (Some(3), true, false),
            // Lifted, and down again.
            (Some(2), false, false),
            (Some(3), false, false),
            (Some(6), true, true),
            (Some(9), true, false),
            (Some(10), true, true),
            (None, false, false),
            // The next job.
            (Some(4), true, false),
            (Some(5), true, true),
            // One more, which nobody saw begin.
            (Some(0), false, false),
            (Some(1), true, false),
        ];
        let (mut each, mut fifth) = (Layers::default(), Layers::default());
        for (index, (layer, at_each, at_fifth)) in course.into_iter().enumerate() {
            assert_eq!((each.see(layer, 1), fifth.see(layer, 5)), (at_each, at_fifth), "{index}: {layer:?}");
        }
    }
}
