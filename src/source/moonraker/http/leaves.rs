//! Takes the innermost objects out of JSON while it comes, so that a list of any length is never whole in memory.

/// Longest object that is taken, in bytes; longer ones are left out.
const MOST: usize = 8 * 1024;

/// Cuts JSON into its innermost objects: those that hold no other object and no list.
#[derive(Debug, Default)]
pub(super) struct Leaves {
    /// The object that is under way.
    object: Vec<u8>,
    inside: bool,
    in_string: bool,
    escaped: bool,
    /// How many objects and lists are open.
    open: usize,
    /// One was.
    begun: bool,
}

impl Leaves {
    /// Takes more of the text; each object that ends in it goes to `take`.
    pub(super) fn push(&mut self, text: &[u8], take: &mut dyn FnMut(&[u8])) {
        for byte in text {
            if self.in_string {
                self.in_string = self.escaped || *byte != b'"';
                self.escaped = !self.escaped && *byte == b'\\';
            } else {
                match byte {
                    b'"' => self.in_string = true,
                    b'{' | b'[' => {
                        self.begun = true;
                        self.open = self.open.saturating_add(1);
                        self.inside = *byte == b'{';
                        self.object.clear();
                    }
                    b'}' | b']' => {
                        self.open = self.open.saturating_sub(1);
                        if std::mem::take(&mut self.inside) {
                            self.object.push(*byte);
                            take(&self.object);
                        }
                    }
                    _ => {}
                }
            }
            if self.inside {
                self.inside = self.object.len() < MOST;
                self.object.push(*byte);
            }
        }
    }

    /// Whether it was an object or a list, and came to its end.
    pub(super) fn is_whole(&self) -> bool {
        self.begun && self.open == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn cut(text: &str, piece: usize) -> (Vec<String>, bool) {
        let mut leaves = Leaves::default();
        let mut found = Vec::new();
        for piece in text.as_bytes().chunks(piece) {
            leaves.push(piece, &mut |object| found.push(String::from_utf8(object.to_vec()).unwrap()));
        }
        (found, leaves.is_whole())
    }

    #[test]
    fn innermost_objects_are_found_wherever_it_is_cut() {
        let text = r#"{"result": {"dirs": [{"a": "}{\"]\\"}, {}], "disk": {"b":1}, "c": [1, {"d": "ü"}]}} "#;
        for piece in 1..text.len() {
            let expected = [r#"{"a": "}{\"]\\"}"#, "{}", r#"{"b":1}"#, r#"{"d": "ü"}"#];
            assert_eq!(cut(text, piece), (expected.map(str::to_owned).to_vec(), true), "{piece}");
        }
        for (text, whole) in [("", false), ("null", false), ("[", false), ("[]", true), ("[{\"a\":", false)] {
            assert_eq!(cut(text, 3), (Vec::new(), whole), "{text}");
        }
    }

    #[test]
    fn a_long_one_is_left_out_and_takes_no_room() {
        let long = json!([{"a": "x".repeat(3 * MOST)}, {"b": 2}]).to_string();
        let mut leaves = Leaves::default();
        let mut found = 0;
        leaves.push(long.as_bytes(), &mut |_| found += 1);
        assert_eq!((found, leaves.is_whole()), (1, true));
        assert!(leaves.object.capacity() <= 4 * MOST, "{}", leaves.object.capacity());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            "(\\PC|[\\[\\]{}\"\\\\]){0,6}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec(("[a{\"]{1,3}", inner), 0..4)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    fn innermost(value: &Value, found: &mut Vec<Value>) {
        match value {
            Value::Object(map) if map.values().all(|value| !value.is_object() && !value.is_array()) => {
                found.push(value.clone());
            }
            Value::Object(map) => map.values().for_each(|value| innermost(value, found)),
            Value::Array(list) => list.iter().for_each(|value| innermost(value, found)),
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn they_are_those_of_the_whole(value in any_json(), piece in 1_usize..9) {
            let (found, whole) = cut(&value.to_string(), piece);
            let mut expected = Vec::new();
            innermost(&value, &mut expected);
            let found: Vec<Value> = found.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
            prop_assert_eq!(found, expected);
            prop_assert_eq!(whole, value.is_object() || value.is_array());
        }

        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            Leaves::default().push(&bytes, &mut |object| assert!(object.len() <= MOST + 1));
        }
    }
}
