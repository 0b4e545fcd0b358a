//! What the slicer wrote into a print file, found in its first and last part.

use super::json;

/// How much of the beginning is looked at, in bytes. A line that begins in it is read to its end.
pub(super) const HEAD: u64 = 400_000;
/// How much of the end is looked at, in bytes.
pub(super) const TAIL: u64 = 40_000;
/// Longest line that is looked at, in bytes.
pub(super) const MOST_LINE: usize = 4096;
/// How many bytes of moves are searched for marks of progress.
const MOST_MOVES: usize = 100_000;
/// Longest text that is handed on, in bytes.
const MOST_TEXT: usize = 1024;

/// How a value is written, and what it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Whole,
    /// One for each tool, and their sum.
    Sum,
    Numbers,
    Wholes,
    Texts,
}

/// What is handed on, by the names that PrusaSlicer has for it.
const KEYS: [(&str, Kind); 16] = [
    ("estimated printing time (normal mode)", Kind::Text),
    ("printer_model", Kind::Text),
    ("fill_density", Kind::Text),
    ("layer_height", Kind::Number),
    ("max_layer_z", Kind::Number),
    ("brim_width", Kind::Whole),
    ("support_material", Kind::Whole),
    ("ironing", Kind::Whole),
    ("filament used [mm]", Kind::Sum),
    ("filament used [cm3]", Kind::Sum),
    ("filament used [g]", Kind::Sum),
    ("filament cost", Kind::Sum),
    ("temperature", Kind::Wholes),
    ("bed_temperature", Kind::Wholes),
    ("nozzle_diameter", Kind::Numbers),
    ("filament_type", Kind::Texts),
];

/// Parameters of M73 in their order, and what each shows to be there.
const MARKS: [(u8, &str); 6] = [
    (b'Q', "quiet_percent_present"),
    (b'S', "quiet_left_present"),
    (b'C', "quiet_change_in_present"),
    (b'P', "normal_percent_present"),
    (b'R', "normal_left_present"),
    (b'D', "normal_change_in_present"),
];

/// What was found: names, and values as JSON.
#[derive(Debug, Default)]
pub(super) struct Facts {
    known: Vec<(String, String)>,
    /// The greatest picture, as base64.
    pub(super) preview: String,
}

impl Facts {
    /// Everything, in the order in which it was found.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.known.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether it is known, in whatever form.
    pub(super) fn has(&self, name: &str) -> bool {
        self.known
            .iter()
            .any(|(known, _)| known.strip_prefix(name).is_some_and(|rest| matches!(rest, "" | " per tool")))
    }

    /// Sets a value that is JSON.
    pub(super) fn set(&mut self, name: &str, value: String) {
        match self.known.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.known.push((name.to_owned(), value)),
        }
    }

    /// Sets it if the very same is not known.
    pub(super) fn add(&mut self, name: &str, value: Option<String>) {
        if let Some(value) = value
            && !self.known.iter().any(|(known, _)| known == name)
        {
            self.set(name, value);
        }
    }

    /// Takes a comment of the slicer: a name and a value.
    pub(super) fn take(&mut self, name: &str, value: &str) {
        let Some((name, kind)) = KEYS.iter().find(|(known, _)| *known == name) else { return };
        let one = match kind {
            Kind::Text => text(value),
            Kind::Number => number(value),
            Kind::Whole => whole(value),
            _ => return self.take_list(name, value, *kind),
        };
        if let Some(one) = one {
            self.set(name, one);
        }
    }

    /// Takes a value for each tool. One that is not understood makes the others worthless.
    fn take_list(&mut self, name: &str, value: &str, kind: Kind) {
        let (separator, read): (&str, fn(&str) -> Option<String>) = match kind {
            Kind::Sum => (", ", number),
            Kind::Numbers => (",", number),
            Kind::Wholes => (",", whole),
            _ => (";", text),
        };
        let Some(each) = value.split(separator).map(read).collect::<Option<Vec<String>>>() else { return };
        self.set(&format!("{name} per tool"), format!("[{}]", each.join(",")));
        let single = match (kind, &each[..]) {
            (Kind::Sum, _) => {
                let numbers = value.split(separator).filter_map(|number| number.trim().parse::<f64>().ok());
                json::number(numbers.fold(0.0, |sum, number| sum + number))
            }
            (_, [first, rest @ ..]) if rest.iter().all(|other| other == first) => Some(first.clone()),
            _ => None,
        };
        if let Some(single) = single {
            self.set(name, single);
        }
    }
}

fn text(value: &str) -> Option<String> {
    (!value.is_empty() && value.len() <= MOST_TEXT).then(|| json::quoted(value))
}

fn number(value: &str) -> Option<String> {
    value.trim().parse().ok().and_then(json::number)
}

fn whole(value: &str) -> Option<String> {
    value.trim().parse().ok().map(|number: i64| number.to_string())
}

/// A picture that is being read.
#[derive(Debug)]
struct Picture {
    /// Its length as it was announced, in characters.
    length: usize,
    text: String,
}

/// A scan under way. Takes the file in pieces.
#[derive(Debug, Default)]
pub(super) struct Scan {
    facts: Facts,
    line: Vec<u8>,
    /// The line is longer than what is kept of it.
    cut: bool,
    picture: Option<Picture>,
    moves: usize,
}

impl Scan {
    /// Takes the next piece.
    pub(super) fn push(&mut self, piece: &[u8]) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let room = MOST_LINE - self.line.len().min(MOST_LINE);
            self.cut |= part.len() > room;
            self.line.extend_from_slice(part.get(..part.len().min(room)).unwrap_or_default());
            if part.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    /// A line ends here: the file does, or what follows is elsewhere in it.
    pub(super) fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let cut = std::mem::take(&mut self.cut);
        if line.first() != Some(&b';') {
            self.look_at_move(&line);
        } else if let Ok(text) = std::str::from_utf8(&line)
            && !cut
        {
            self.look_at_comment(text.trim_end_matches(['\n', '\r']));
        }
        // Its memory serves again.
        self.line = line;
        self.line.clear();
    }

    /// What was found.
    pub(super) fn finish(mut self) -> Facts {
        self.end_line();
        self.facts
    }

    fn look_at_comment(&mut self, line: &str) {
        let rest = line.strip_prefix("; ").unwrap_or_default();
        if let Some(after) = rest.strip_prefix("thumbnail") {
            let after = after.trim_start_matches(['_', 'Q', 'O', 'I', 'J', 'P', 'G', 'N']);
            if let Some(announced) = after.strip_prefix(" begin ") {
                let length = announced.rsplit(' ').next().and_then(|length| length.trim().parse().ok());
                let length =
                    length.filter(|length| u64::try_from(*length).is_ok_and(|length| length <= HEAD));
                self.picture = length.map(|length| Picture { length, text: String::new() });
                return;
            }
            if after.trim_end() == " end" {
                return self.end_picture();
            }
        }
        if let Some(picture) = &mut self.picture {
            let text = line.get(1..).unwrap_or_default().trim();
            if picture.text.len() + text.len() <= picture.length && text.bytes().all(is_base64) {
                picture.text.push_str(text);
            } else {
                self.picture = None;
            }
        }
        if let Some((name, value)) = rest.split_once(" = ") {
            self.facts.take(name, value);
        }
        if line.strip_prefix(";Z:").is_some_and(is_decimal) {
            self.facts.set("layer_info_present", "true".to_owned());
        }
    }

    fn end_picture(&mut self) {
        let whole = self.picture.take().filter(|picture| picture.text.len() == picture.length);
        if let Some(picture) = whole.filter(|picture| picture.length > self.facts.preview.len()) {
            self.facts.preview = picture.text;
        }
    }

    fn look_at_move(&mut self, line: &[u8]) {
        if self.moves > MOST_MOVES {
            return;
        }
        self.moves += line.len();
        let code = line.split(|byte| *byte == b';').next().unwrap_or_default();
        let Some(at) = code.windows(3).rposition(|word| word == b"M73") else { return };
        let mut rest = code.get(at + 3..).unwrap_or_default().trim_ascii_start();
        for (letter, name) in MARKS {
            let Some((first, after)) = rest.split_first() else { return };
            let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if *first == letter && digits > 0 {
                self.facts.set(name, "true".to_owned());
                rest = after.get(digits..).unwrap_or_default().trim_ascii_start();
            }
        }
    }
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)
}

/// Digits, a point, digits.
fn is_decimal(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.').is_some_and(|(whole, part)| digits(whole) && digits(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn facts(text: &str, piece: usize) -> Facts {
        let mut scan = Scan::default();
        text.as_bytes().chunks(piece).for_each(|piece| scan.push(piece));
        scan.finish()
    }

    fn known(text: &str) -> String {
        facts(text, 7).all().map(|(name, value)| format!("{name}={value}|")).collect()
    }

    #[test]
    fn comments_of_the_slicer_are_typed() {
        for (line, expected) in [
            ("; layer_height = 0.15", "layer_height=0.15|"),
            ("; layer_height = thick", ""),
            ("; layer_height = nan", ""),
            ("; fill_density = 15%\r", "fill_density=\"15%\"|"),
            ("; printer_model = ", ""),
            ("; brim_width = 0", "brim_width=0|"),
            ("; ironing = 1", "ironing=1|"),
            ("; brim_width = 1.5", ""),
            ("; filament used [g] = 1.5", "filament used [g] per tool=[1.5]|filament used [g]=1.5|"),
            (
                "; filament used [mm] = 1.5, 2.25",
                "filament used [mm] per tool=[1.5,2.25]|filament used [mm]=3.75|",
            ),
            ("; filament used [mm] = 1.5, x", ""),
            ("; filament cost = 1,2", ""),
            ("; temperature = 215,215", "temperature per tool=[215,215]|temperature=215|"),
            ("; temperature = 215,240", "temperature per tool=[215,240]|"),
            ("; temperature = 215.5", ""),
            ("; nozzle_diameter = 0.4,0.40", "nozzle_diameter per tool=[0.4,0.4]|nozzle_diameter=0.4|"),
            ("; filament_type = PLA;PLA", "filament_type per tool=[\"PLA\",\"PLA\"]|filament_type=\"PLA\"|"),
            ("; filament_type = PLA;\"x\"", "filament_type per tool=[\"PLA\",\"\\\"x\\\"\"]|"),
            (";layer_height = 0.15", ""),
            ("; total filament used [g] = 1.5", ""),
            ("; x = layer_height = 2", ""),
            ("; max_layer_z = 1\n; max_layer_z = 2", "max_layer_z=2.0|"),
            (";Z:0.2", "layer_info_present=true|"),
            (";Z:2", ""),
            ("M73 P0 R12", "normal_percent_present=true|normal_left_present=true|"),
            ("M73 Q0 S12 ; P1", "quiet_percent_present=true|quiet_left_present=true|"),
            ("; M73 P0 R12", ""),
            ("M730 P0", ""),
            ("M73 C3\nM73 D4", "quiet_change_in_present=true|normal_change_in_present=true|"),
        ] {
            assert_eq!(known(line), expected, "{line}");
        }
        let late = format!("{}M73 P0\n", "G1 X1\n".repeat(20_000));
        assert_eq!(known(&late), "");
    }

    #[test]
    fn the_longest_whole_picture_is_taken() {
        let picture = |kind: &str, told: usize, text: &str| {
            format!("; thumbnail{kind} begin 16x16 {told}\n; {text}\n; {text}\n; thumbnail{kind} end\n")
        };
        let all = [
            picture("", 8, "AAAA"),
            picture("_JPG", 16, "BBBBBBBB"),
            picture("_QOI", 12, "CCCCCC"),
            picture("", 99, "DDDDDDDDDDDDDDDD"),
            picture("", 24, "\"\"\"\"\"\"\"\"\"\"\"\""),
            "; thumbnail begin 16x16 4\n; EEEE\n; EEEE\n; thumbnail end\n".to_owned(),
            "; thumbnail begin 16x16 99999999999\n; thumbnail end\n".to_owned(),
        ];
        assert_eq!(facts(&all.concat(), 5).preview, "BBBBBBBBBBBBBBBB");
        assert_eq!(facts("; thumbnail begin 16x16 4\n; EEEE", 5).preview, "");
    }

    #[test]
    fn a_long_line_takes_no_room_and_counts_for_nothing() {
        let mut scan = Scan::default();
        scan.push(b"; filament_type = ");
        (0..1000).for_each(|_| scan.push(&[b'x'; 1000]));
        assert!(scan.line.capacity() <= 2 * MOST_LINE, "{}", scan.line.capacity());
        scan.push(b"\n; layer_height = 0.2\n");
        assert_eq!(scan.finish().all().collect::<Vec<_>>(), [("layer_height", "0.2")]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_in_pieces_of_any_size(
            parts in proptest::collection::vec(
                prop_oneof![
                    Just(b"; thumbnail begin 1x1 4\n".to_vec()),
                    Just(b"; thumbnail end\n".to_vec()),
                    Just(b"; temperature = 1,".to_vec()),
                    Just(b"; AAAA".to_vec()),
                    Just(b"M73 P".to_vec()),
                    Just(b"\n".to_vec()),
                    proptest::collection::vec(any::<u8>(), 0..20),
                ],
                0..20,
            ),
            piece in 1_usize..9,
        ) {
            let whole = parts.concat();
            let read = |piece: usize| {
                let mut scan = Scan::default();
                whole.chunks(piece).for_each(|piece| scan.push(piece));
                scan.finish()
            };
            let (one, other) = (read(piece), read(100_000));
            prop_assert_eq!(&one.known, &other.known);
            prop_assert_eq!(&one.preview, &other.preview);
            for (name, value) in one.all() {
                prop_assert!(serde_json::from_str::<serde_json::Value>(value).is_ok(), "{name}: {value}");
            }
        }
    }
}
