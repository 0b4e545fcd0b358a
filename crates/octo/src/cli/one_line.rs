//! One line of the log for each event. What containers and their runtime say stands in messages, and could else write lines
//! that look like the server's own.

use std::io::{self, Write};
use tracing_subscriber::fmt::MakeWriter;

/// Writers of another maker, whose lines stay lines.
pub(super) struct OneLine<M>(pub(super) M);

/// One of them. It is given an event in one piece.
pub(super) struct Line<W>(W);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for OneLine<M> {
    type Writer = Line<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Line(self.0.make_writer())
    }

    fn make_writer_for(&'a self, meta: &tracing::Metadata<'_>) -> Self::Writer {
        Line(self.0.make_writer_for(meta))
    }
}

impl<W: Write> Write for Line<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (line, end) = match bytes.strip_suffix(b"\n") {
            Some(line) => (line, &b"\n"[..]),
            None => (bytes, &b""[..]),
        };
        if line.iter().all(|byte| !matches!(byte, b'\n' | b'\r')) {
            self.0.write_all(bytes)?;
            return Ok(bytes.len());
        }
        let mut kept = Vec::with_capacity(bytes.len() + 16);
        for byte in line {
            match byte {
                b'\n' => kept.extend_from_slice(b"\\n"),
                b'\r' => kept.extend_from_slice(b"\\r"),
                byte => kept.push(*byte),
            }
        }
        kept.extend_from_slice(end);
        self.0.write_all(&kept)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_message_writes_a_line_of_its_own() {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(OneLine(move || writer.clone())).finish();
        let said = "it failed\r\n2026-01-01T00:00:00Z  INFO octo::requests: request method=DELETE";
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!("the runtime: {said}");
            tracing::warn!(reason = said, "failed");
            tracing::info!("the next");
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains("it failed\\r\\n2026") && text.ends_with("the next\n"), "{text}");
    }
}
