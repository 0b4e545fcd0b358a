//! The layer that is printed: the slicer's number, or one reckoned from the height.

use super::{Motion, Print, PrintState};

/// The layer that is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layer {
    /// Its number. The slicers count from 1; 0 is before the first.
    pub number: u32,
    /// How many there are, where known.
    pub of: Option<u32>,
    /// The number is reckoned from the height of the nozzle and wrong for moments, since a travel may lift it.
    pub reckoned: bool,
}

/// Heights are multiples of the layer height but for a hair, by which none may count as the next.
const HAIR: f64 = 1e-3;

impl Layer {
    /// The layer of `print` on a machine that stands at `motion`. One that is reckoned exists only while the job
    /// prints: before the first extrusion and in a pause the height says nothing.
    pub fn of(print: &Print, motion: &Motion) -> Option<Self> {
        let of = Self::count(print);
        if let Some(number) = print.layer {
            return Some(Self { number, of, reckoned: false });
        }
        let extruded = print.print_duration.is_some_and(|printed| !printed.is_zero());
        if print.state != PrintState::Printing || !extruded {
            return None;
        }
        let metadata = print.metadata.as_deref()?;
        let [_, _, z] = motion.position?;
        let number = layers_up_to(z, metadata.first_layer_height?, metadata.layer_height?)?;
        Some(Self { number: number.min(of.unwrap_or(u32::MAX)), of, reckoned: true })
    }

    /// How many layers `print` has: by the slicer, or reckoned from the heights.
    pub fn count(print: &Print) -> Option<u32> {
        let metadata = print.metadata.as_deref();
        let told = print.layers.or(metadata.and_then(|metadata| metadata.layer_count));
        told.filter(|count| *count > 0).or_else(|| {
            let metadata = metadata?;
            let (first, each) = (metadata.first_layer_height?, metadata.layer_height?);
            layers_up_to(metadata.object_height?, first, each).filter(|count| *count > 0)
        })
    }
}

fn layers_up_to(height: f64, first: f64, each: f64) -> Option<u32> {
    let number = ((height - first) / each + 1.0 - HAIR).ceil();
    // A cast would make 0 of NaN.
    (each > 0.0 && first > 0.0 && number.is_finite()).then_some(number.clamp(0.0, 1e6) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printer::Metadata;
    use std::sync::Arc;
    use std::time::Duration;

    fn print() -> Print {
        let metadata = Metadata {
            layer_height: Some(0.2),
            first_layer_height: Some(0.25),
            object_height: Some(10.05),
            ..Metadata::default()
        };
        Print {
            state: PrintState::Printing,
            print_duration: Some(Duration::from_secs(9)),
            metadata: Some(Arc::new(metadata)),
            ..Print::default()
        }
    }

    fn at(z: f64) -> Motion {
        Motion { position: Some([1.0, 2.0, z]), ..Motion::default() }
    }

    #[test]
    fn the_slicers_number_counts() {
        let print = Print { layer: Some(7), layers: Some(40), ..print() };
        let layer = Layer::of(&print, &at(3.0)).unwrap();
        assert_eq!(layer, Layer { number: 7, of: Some(40), reckoned: false });
        // Also with a total of 0, which some write for "not known".
        let layer = Layer::of(&Print { layers: Some(0), ..print }, &Motion::default()).unwrap();
        assert_eq!(layer, Layer { number: 7, of: Some(50), reckoned: false });
    }

    #[test]
    fn else_the_height_says_it() {
        // Every multiple hits its layer, whatever binary fractions make of it.
        for number in 1..=50 {
            let layer = Layer::of(&print(), &at(0.25 + 0.2 * f64::from(number - 1))).unwrap();
            assert_eq!(layer, Layer { number, of: Some(50), reckoned: true });
        }
        for (z, number) in [(-1.0, 0), (0.0, 0), (0.1, 1), (0.3, 2), (200.0, 50)] {
            assert_eq!(Layer::of(&print(), &at(z)).map(|layer| layer.number), Some(number), "{z}");
        }
    }

    #[test]
    fn without_a_ground_nothing_is_reckoned() {
        let cases = [
            Print { state: PrintState::Paused, ..print() },
            Print { print_duration: Some(Duration::ZERO), ..print() },
            Print { print_duration: None, ..print() },
            Print { metadata: None, ..print() },
            Print { metadata: Some(Arc::default()), ..print() },
        ];
        for print in cases {
            assert_eq!(Layer::of(&print, &at(1.0)), None, "{print:?}");
        }
        assert_eq!(Layer::of(&print(), &Motion::default()), None);
        for each in [0.0, -0.2, f64::NAN] {
            let metadata = Metadata {
                layer_height: Some(each),
                first_layer_height: Some(0.2),
                object_height: Some(9.0),
                ..Metadata::default()
            };
            let print = Print { metadata: Some(Arc::new(metadata)), ..print() };
            assert_eq!(Layer::of(&print, &at(1.0)), None, "{each}");
            assert_eq!(Layer::count(&print), None, "{each}");
        }
    }
}
