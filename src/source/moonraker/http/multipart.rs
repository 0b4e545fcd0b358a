//! The form that carries a file to Moonraker, made while it is sent.

use super::{Progress, TransferError};
use crate::source::control::Uploaded;
use crate::source::moonraker::any::Any;
use std::io::{self, Cursor, ErrorKind, Read};

/// A file that is to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Upload<'a> {
    /// The root: `gcodes`, mostly.
    pub root: &'a str,
    /// Its path there, folders included; those that are missing are made.
    pub path: &'a str,
    /// Its length, in bytes.
    pub length: u64,
    /// Its SHA-256 in hex digits, where it is known: Moonraker takes no other content then.
    pub checksum: Option<&'a str>,
    /// Whether to print it at once.
    pub print: bool,
}

/// The form as a stream.
pub(super) struct Form<'a, 'b> {
    boundary: String,
    head: Cursor<Vec<u8>>,
    tail: Cursor<Vec<u8>>,
    from: &'a mut dyn Read,
    progress: Progress<'b>,
    length: u64,
    /// `length` is only the most that may come.
    to_end: bool,
    /// All of the file has come.
    ended: bool,
    done: u64,
    failure: Option<TransferError>,
}

impl<'a, 'b> Form<'a, 'b> {
    pub(super) fn new(upload: &Upload<'_>, from: &'a mut dyn Read, progress: Progress<'b>) -> Self {
        // A random line, since content with the same line in it would end the form.
        let boundary = (0..4).map(|_| format!("{:08x}", crate::backoff::random())).collect::<String>();
        Self {
            head: Cursor::new(head(upload, &boundary).into_bytes()),
            tail: Cursor::new(format!("\r\n--{boundary}--\r\n").into_bytes()),
            boundary,
            from,
            progress,
            length: upload.length,
            to_end: false,
            ended: false,
            done: 0,
            failure: None,
        }
    }

    /// The same with a file that ends where it ends, after that many bytes at most.
    pub(super) fn open_ended(self) -> Self {
        Self { to_end: true, ..self }
    }

    pub(super) fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    /// Length of the whole form, in bytes, where it is known before the end.
    pub(super) fn length(&self) -> Option<u64> {
        let around = self.head.get_ref().len() + self.tail.get_ref().len();
        (!self.to_end).then(|| self.length.saturating_add(around as u64))
    }

    /// Why the caller's side of it failed, if it did.
    pub(super) fn failure(&mut self) -> Option<TransferError> {
        self.failure.take()
    }

    fn fail(&mut self, error: TransferError) -> io::Error {
        self.failure = Some(error);
        io::Error::from(ErrorKind::Other)
    }
}

impl Read for Form<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.head.read(buffer)?;
        if count > 0 || buffer.is_empty() {
            return Ok(count);
        }
        let length = (!self.to_end).then_some(self.length);
        if self.tail.position() == 0 && (self.progress)(self.done, length).is_break() {
            return Err(self.fail(TransferError::Cancelled));
        }
        let left = self.length - self.done;
        if self.ended || (left == 0 && !self.to_end) {
            return self.tail.read(buffer);
        }
        // Where the end is not known one byte more would tell that it is too long.
        let left = if self.to_end { left.saturating_add(1) } else { left };
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let count = loop {
            match self.from.read(buffer.get_mut(..room).unwrap_or_default()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.fail(TransferError::Local(error))),
                Ok(0) if self.to_end => {
                    self.ended = true;
                    return self.tail.read(buffer);
                }
                Ok(0) => {
                    let error = io::Error::new(ErrorKind::UnexpectedEof, "it is shorter than was told");
                    return Err(self.fail(TransferError::Local(error)));
                }
                Ok(count) => break count.min(room),
            }
        };
        if count as u64 > self.length - self.done {
            return Err(self.fail(TransferError::TooLong { most: self.length }));
        }
        self.done += count as u64;
        Ok(count)
    }
}

fn head(upload: &Upload<'_>, boundary: &str) -> String {
    let (folder, name) = upload.path.rsplit_once('/').unwrap_or(("", upload.path));
    let mut head = String::new();
    let print = if upload.print { "true" } else { "" };
    let fields = [
        ("root", upload.root),
        ("path", folder),
        ("checksum", upload.checksum.unwrap_or_default()),
        ("print", print),
    ];
    for (field, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
        let part = ["--", boundary, "\r\nContent-Disposition: form-data; name=\"", field, "\"\r\n\r\n"];
        head.extend(part);
        // A line's end would end the value. Paths hold none; the others are the program's own.
        head.extend(value.chars().filter(|c| !c.is_control()));
        head.push_str("\r\n");
    }
    head.extend(["--", boundary, "\r\nContent-Disposition: form-data; name=\"file\"; filename=\""]);
    for c in name.chars() {
        if c == '"' || c == '\\' {
            head.push('\\');
        }
        head.push(c);
    }
    head.push_str("\"\r\nContent-Type: application/octet-stream\r\n\r\n");
    head
}

/// Reads the answer to an upload.
pub(super) fn uploaded(text: &[u8]) -> Option<Uploaded> {
    let answer = Any::read(text);
    Some(Uploaded {
        path: answer.get("item").get("path").text()?.to_owned(),
        print_started: answer.get("print_started").flag().unwrap_or(false),
        print_queued: answer.get("print_queued").flag().unwrap_or(false),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::ops::ControlFlow;

    fn upload(path: &str, length: u64) -> Upload<'_> {
        Upload { root: "gcodes", path, length, checksum: None, print: false }
    }

    #[test]
    fn the_form_is_as_long_as_it_says_and_holds_what_was_asked() {
        let mut content: &[u8] = b"G28\nG1 X1\nand more that is not sent";
        let told = Upload { checksum: Some("abc"), print: true, ..upload("grün/my \"c\\ube\".gcode", 9) };
        let mut steps = Vec::new();
        let mut progress = |done, all| {
            steps.push((done, all));
            ControlFlow::Continue(())
        };
        let mut form = Form::new(&told, &mut content, &mut progress);
        let (length, line) = (form.length(), form.boundary.clone());
        let mut text = String::new();
        form.read_to_string(&mut text).unwrap();
        assert_eq!(Some(text.len() as u64), length);
        let expected = format!(
            "--{line}\r\nContent-Disposition: form-data; name=\"root\"\r\n\r\ngcodes\r\n\
             --{line}\r\nContent-Disposition: form-data; name=\"path\"\r\n\r\ngrün\r\n\
             --{line}\r\nContent-Disposition: form-data; name=\"checksum\"\r\n\r\nabc\r\n\
             --{line}\r\nContent-Disposition: form-data; name=\"print\"\r\n\r\ntrue\r\n\
             --{line}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"my \\\"c\\\\ube\\\".gcode\"\r\n\
             Content-Type: application/octet-stream\r\n\r\nG28\nG1 X1\r\n--{line}--\r\n"
        );
        assert_eq!(text, expected);
        assert_eq!(steps, [(0, Some(9)), (9, Some(9))]);
    }

    #[test]
    fn a_file_that_ends_early_or_fails_or_is_cancelled_is_told_as_that() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the card is gone"))
            }
        }
        let go = |_: u64, _: Option<u64>| ControlFlow::Continue(());
        let stop = |done: u64, _: Option<u64>| {
            if done > 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let fail = |from: &mut dyn Read, mut progress: fn(u64, Option<u64>) -> ControlFlow<()>| {
            let told = upload("a.gcode", 9);
            let mut form = Form::new(&told, from, &mut progress);
            assert!(form.read_to_end(&mut Vec::new()).is_err());
            form.failure().unwrap().to_string()
        };
        assert!(fail(&mut &b"short"[..], go).contains("shorter than was told"));
        assert!(fail(&mut Broken, go).contains("the card is gone"));
        assert!(fail(&mut &b"short"[..], stop).contains("cancelled"));
    }

    #[test]
    fn an_empty_file_needs_nothing_of_the_reader() {
        let told = upload("a.gcode", 0);
        let mut progress = |_, _| ControlFlow::Continue(());
        let mut nothing = io::empty();
        let mut form = Form::new(&told, &mut nothing, &mut progress);
        let mut text = Vec::new();
        form.read_to_end(&mut text).unwrap();
        assert_eq!(Some(text.len() as u64), form.length());
    }

    #[test]
    fn a_file_of_unknown_length_ends_where_it_ends() {
        let mut seen = Vec::new();
        for (most, whole) in [(9, true), (6, true), (5, false)] {
            let told = upload("a.gcode", most);
            let mut from = &b"G28\nG1"[..];
            let mut progress = |_: u64, all: Option<u64>| {
                seen.push(all);
                ControlFlow::Continue(())
            };
            let mut form = Form::new(&told, &mut from, &mut progress).open_ended();
            assert_eq!(form.length(), None);
            let mut text = String::new();
            assert_eq!(form.read_to_string(&mut text).is_ok(), whole, "{most}");
            assert_eq!(form.failure().is_some(), !whole);
            assert!(!whole || text.contains("\r\n\r\nG28\nG1\r\n--"), "{text}");
        }
        assert!(seen.iter().all(Option::is_none));
    }

    #[test]
    fn answers_are_read_as_far_as_they_go() {
        let whole = br#"{"action":"create_file","item":{"path":"a/b.gcode","root":"gcodes"},"print_started":true,"print_queued":false}"#;
        let expected = Uploaded { path: "a/b.gcode".into(), print_started: true, print_queued: false };
        assert_eq!(uploaded(whole), Some(expected));
        let short = uploaded(br#"{"item":{"path":"x"}}"#).unwrap();
        assert!(!short.print_started && !short.print_queued);
        for text in ["", "{}", "[]", r#"{"item":{}}"#, r#"{"item":{"path":7}}"#] {
            assert_eq!(uploaded(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_read(text in r#"(\{|\}|\[|\]|,|"(item|path|print_started)":?|[0-9]{1,9}|null|true|"x"){0,15}"#) {
            let _ = uploaded(text.as_bytes());
        }

        #[test]
        fn pieces_of_any_size_make_the_same_form(content in proptest::collection::vec(any::<u8>(), 0..300), size in 1_usize..50) {
            let told = upload("a.gcode", content.len() as u64);
            let mut progress = |_, _| ControlFlow::Continue(());
            let mut from = &content[..];
            let mut form = Form::new(&told, &mut from, &mut progress);
            let (length, end) = (form.length(), form.tail.get_ref().len());
            let mut whole = Vec::new();
            let mut piece = vec![0; size];
            loop {
                let count = form.read(&mut piece).unwrap();
                if count == 0 { break }
                whole.extend_from_slice(&piece[..count]);
            }
            prop_assert_eq!(Some(whole.len() as u64), length);
            let body = &whole[..whole.len() - end];
            prop_assert!(body.ends_with(&content));
        }
    }
}
