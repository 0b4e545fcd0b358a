//! The form that carries a file to the Bot API, made while it is sent, so that a picture is in memory once.

use super::wire::{Call, File};
use serde_json::Value;
use std::io::{Cursor, Read};

/// The form as a stream.
pub(super) struct Form<'a> {
    boundary: String,
    length: u64,
    content: Box<dyn Read + 'a>,
}

impl<'a> Form<'a> {
    /// The fields of `call`, and its file behind them.
    pub(super) fn new(call: &Call<'_>, file: &File<'a>) -> Self {
        // A random line, since content with the same line in it would end the form.
        let boundary: String = (0..4).map(|_| format!("{:08x}", crate::backoff::random())).collect();
        let head = head(call, file, &boundary).into_bytes();
        let tail = format!("\r\n--{boundary}--\r\n").into_bytes();
        let length = (head.len() + file.bytes.len() + tail.len()) as u64;
        let content = Cursor::new(head).chain(file.bytes).chain(Cursor::new(tail));
        Self { boundary, length, content: Box::new(content) }
    }

    pub(super) fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    /// Length of the whole form, in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }
}

impl Read for Form<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.content.read(buffer)
    }
}

fn head(call: &Call<'_>, file: &File<'_>, boundary: &str) -> String {
    let mut head = String::new();
    for (name, value) in &call.fields {
        head.extend(["--", boundary, "\r\nContent-Disposition: form-data; name=\"", name, "\"\r\n\r\n"]);
        match value {
            Value::String(text) => head.push_str(text),
            // Numbers, truths and objects as JSON.
            other => head.push_str(&other.to_string()),
        }
        head.push_str("\r\n");
    }
    head.extend(["--", boundary, "\r\nContent-Disposition: form-data; name=\"", file.field]);
    head.extend(["\"; filename=\"", file.name, "\"\r\nContent-Type: ", file.kind, "\r\n\r\n"]);
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_form_is_as_long_as_it_says_and_holds_what_was_asked() {
        let file =
            File { field: "photo", name: "frame.jpg", kind: "image/jpeg", bytes: b"\xff\xd8\r\n--\xff" };
        let call =
            Call::new("sendPhoto").with("chat_id", -5).with("caption", "a\r\nb \"c\"").with("quiet", true);
        let mut form = Form::new(&call, &file);
        let (length, line) = (form.length(), form.boundary.clone());
        let mut bytes = Vec::new();
        form.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, length);
        let mut expected = format!(
            "--{line}\r\nContent-Disposition: form-data; name=\"caption\"\r\n\r\na\r\nb \"c\"\r\n\
             --{line}\r\nContent-Disposition: form-data; name=\"chat_id\"\r\n\r\n-5\r\n\
             --{line}\r\nContent-Disposition: form-data; name=\"quiet\"\r\n\r\ntrue\r\n\
             --{line}\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"frame.jpg\"\r\n\
             Content-Type: image/jpeg\r\n\r\n"
        )
        .into_bytes();
        expected.extend_from_slice(file.bytes);
        expected.extend(format!("\r\n--{line}--\r\n").bytes());
        assert_eq!(bytes, expected);
        assert_eq!(form.content_type(), format!("multipart/form-data; boundary={line}"));
    }

    proptest! {
        #[test]
        fn any_file_keeps_its_length(bytes in proptest::collection::vec(any::<u8>(), 0..5000), text in "\\PC{0,50}") {
            let file = File { field: "document", name: "x", kind: "image/jpeg", bytes: &bytes };
            let mut form = Form::new(&Call::new("sendDocument").with("caption", text), &file);
            let length = form.length();
            prop_assert_eq!(std::io::copy(&mut form, &mut std::io::sink()).unwrap(), length);
        }
    }
}
