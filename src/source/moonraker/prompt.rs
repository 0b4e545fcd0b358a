//! Dialogs that Klipper's macros show, out of the console: `// action:prompt_begin Filament change`.
//!
//! By Mainsail's documentation of macro prompts: `prompt_begin` starts a new dialog, `prompt_show` shows it,
//! `prompt_end` closes it; a button without G-code runs its label.

use super::wire::clipped;
use crate::printer::{Prompt, PromptButton};
use std::sync::Arc;

/// Longest headline, text, label and G-code kept, in bytes.
const MAX_TITLE: usize = 256;
const MAX_TEXT: usize = 2048;
const MAX_LABEL: usize = 128;
const MAX_GCODE: usize = 512;

/// Most buttons kept.
const MAX_BUTTONS: usize = 24;

/// The dialog under way.
#[derive(Debug, Default)]
pub(super) struct Prompts {
    title: String,
    text: String,
    buttons: Vec<PromptButton>,
    begun: bool,
    open: bool,
    /// The dialog as it was told; none when it has changed since.
    told: Option<Arc<Prompt>>,
}

impl Prompts {
    /// Takes a line of the console.
    pub(super) fn line(&mut self, line: &str) {
        let Some(action) = line.strip_prefix("//").and_then(|rest| rest.trim_start().strip_prefix("action:"))
        else {
            return;
        };
        let (action, words) = action.split_once(char::is_whitespace).unwrap_or((action, ""));
        let words = words.trim();
        match action {
            "prompt_begin" => {
                *self = Self { title: clipped(words, MAX_TITLE).to_owned(), begun: true, ..Self::default() };
            }
            "prompt_text" if self.begun => {
                let room = MAX_TEXT.saturating_sub(self.text.len() + 1);
                if !self.text.is_empty() && room > 0 {
                    self.text.push('\n');
                }
                self.text.push_str(clipped(words, room));
                // What comes after `prompt_show` is shown too.
                self.told = None;
            }
            "prompt_button" | "prompt_footer_button" if self.begun => {
                self.button(words);
                self.told = None;
            }
            "prompt_show" if self.begun => self.open = true,
            "prompt_end" => self.forget(),
            _ => {}
        }
    }

    /// Closes the dialog: Klipper ended, and its macro with it.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// The dialog that is open.
    pub(super) fn shown(&mut self) -> Option<Arc<Prompt>> {
        if !self.open {
            return None;
        }
        let told = self.told.take().unwrap_or_else(|| {
            Arc::new(Prompt {
                title: self.title.as_str().into(),
                text: self.text.as_str().into(),
                buttons: self.buttons.clone(),
            })
        });
        self.told = Some(Arc::clone(&told));
        Some(told)
    }

    fn button(&mut self, words: &str) {
        let mut parts = words.split('|').map(str::trim);
        let label = parts.next().unwrap_or_default();
        let gcode = parts.next().filter(|gcode| !gcode.is_empty()).unwrap_or(label);
        // A G-code that is cut short would be another one.
        if label.is_empty() || gcode.len() > MAX_GCODE || self.buttons.len() >= MAX_BUTTONS {
            return;
        }
        self.buttons.push(PromptButton { label: clipped(label, MAX_LABEL).into(), gcode: gcode.into() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn after(lines: &[&str]) -> Option<Arc<Prompt>> {
        let mut prompts = Prompts::default();
        lines.iter().for_each(|line| prompts.line(line));
        prompts.shown()
    }

    #[test]
    fn a_dialog_is_open_from_show_to_end() {
        let lines = [
            "// action:prompt_begin Filament change",
            "// action:prompt_text Load filament,",
            "// action:prompt_text then resume",
            "// action:prompt_button_group_start",
            "// action:prompt_button Retry",
            "// action:prompt_button Unload | UNLOAD_FILAMENT | warning",
            "// action:prompt_button_group_end",
            "// action:prompt_footer_button Resume|RESUME|primary",
            "// action:prompt_show",
        ];
        for count in 0..lines.len() {
            assert_eq!(after(&lines[..count]), None, "{count}");
        }
        let prompt = after(&lines).unwrap();
        assert_eq!((&*prompt.title, &*prompt.text), ("Filament change", "Load filament,\nthen resume"));
        let buttons: Vec<_> = prompt.buttons.iter().map(|button| (&*button.label, &*button.gcode)).collect();
        assert_eq!(buttons, [("Retry", "Retry"), ("Unload", "UNLOAD_FILAMENT"), ("Resume", "RESUME")]);
        let more = [&lines[..], &["// action:prompt_text late"]].concat();
        assert_eq!(&*after(&more).unwrap().text, "Load filament,\nthen resume\nlate");
        for last in ["// action:prompt_end", "//action:prompt_end ", "// action:prompt_begin another"] {
            assert_eq!(after(&[&lines[..], &[last]].concat()), None, "{last}");
        }
        for last in ["action:prompt_end", "echo: // action:prompt_end", "// action:prompt_ended", "!! no"] {
            assert!(after(&[&lines[..], &[last]].concat()).is_some(), "{last}");
        }
    }

    #[test]
    fn nothing_is_shown_that_was_not_begun() {
        assert_eq!(after(&["// action:prompt_text x", "// action:prompt_show"]), None);
        assert_eq!(*after(&["// action:prompt_begin", "// action:prompt_show"]).unwrap(), Prompt::default());
    }

    proptest! {
        #[test]
        fn a_dialog_stays_small(
            lines in proptest::collection::vec(
                ("(begin|text|button|show|footer_button|end)", "\\PC{0,4}", 0_usize..1000),
                0..60,
            ),
        ) {
            let mut prompts = Prompts::default();
            for (action, words, times) in lines {
                let words = words.repeat(times);
                prompts.line(&format!("// action:prompt_{action} {words}"));
                if let Some(prompt) = prompts.shown() {
                    prop_assert!(prompt.title.len() <= MAX_TITLE && prompt.text.len() <= MAX_TEXT);
                    prop_assert!(prompt.buttons.len() <= MAX_BUTTONS);
                    prop_assert!(prompt.buttons.iter().all(|button| button.label.len() <= MAX_LABEL));
                }
            }
        }
    }
}
