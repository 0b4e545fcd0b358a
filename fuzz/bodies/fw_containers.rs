//! The layers of a firmware file: the bytes as a whole file, and as each structure alone. Whatever is read is written
//! back to the same bytes.

use std::fs;
use std::path::PathBuf;

use octofw::container::parameter::{Parameter, wrap};
use octofw::container::rkaf::{self, Rkaf};
use octofw::container::rkfw::{self, Rkfw};
use octofw::container::upfile::{TABLE_END, Upfile};
use octofw::container::{SourceFile, Span, package_file};
use octofw::image::Image;
use octofw::inspect::Report;
use octofw::parts::{self, Content};

pub(crate) fn run(bytes: &[u8]) {
    let length = bytes.len() as u64;
    let whole = Span::new(0, length);
    if let Ok(upfile) = Upfile::parse(bytes, length) {
        assert_eq!(upfile.encode(), bytes[..TABLE_END]);
        assert!(upfile.entries.iter().all(|entry| entry.span.end() <= length));
    }
    if let Ok(header) = Rkfw::parse(bytes, whole) {
        assert_eq!(header.encode(), bytes[..rkfw::HEADER_LEN]);
        assert!(header.image.end() <= length);
    }
    if let Ok(mut header) = Rkaf::parse(bytes, whole) {
        assert_eq!(header.encode(), bytes[..rkaf::HEADER_LEN]);
        for part in header.files() {
            assert!(header.data(part, 0).end() <= u64::from(header.length), "{part:?}");
        }
        let _ = header.arrange(&[("rootfs.img", 1)]);
    }
    if let Ok(md5) = rkfw::parse_trailer(bytes, 0) {
        assert_eq!(rkfw::encode_trailer(&md5).as_bytes(), &bytes[..32]);
    }
    if let Ok(parameter) = Parameter::unwrap_stored(bytes, 0) {
        let again = wrap(parameter.text.as_bytes()).expect("it was wrapped before");
        assert_eq!(Parameter::unwrap_stored(&again, 0).as_ref(), Ok(&parameter));
    }
    if let Ok(parameter) = Parameter::parse(bytes, 0) {
        let _ = parameter.firmware_version();
        assert!(
            parameter
                .partitions
                .iter()
                .all(|partition| parameter.partition(&partition.name) == Some(partition))
        );
    }
    if let Ok(lines) = package_file::parse(bytes, 0) {
        assert_eq!(package_file::parse(package_file::encode(&lines).as_bytes(), 0), Ok(lines));
    }

    let file = File::with(bytes);
    let source = SourceFile::open(&file.0).expect("it was written just now");
    // Known by its name, not by how it begins.
    let misc = parts::of_part(&source, whole, "misc.img", true);
    assert!(matches!(misc.map(|look| look.map(|look| look.content)), Ok(None | Some(Content::Misc { .. }))));
    if let Ok(Some(look)) = parts::of_part(&source, whole, "MiniLoaderAll.bin", true)
        && let Content::Loader(loader) = look.content
    {
        assert!(loader.entries.iter().all(|entry| entry.offset + entry.size + 4 <= length));
        assert_eq!(loader.crc_ok, Some(look.wrong.is_empty()));
    }
    if let Ok(report) = Report::of(&file.0, true) {
        // It goes to terminals.
        let text = report.to_string();
        assert!(!text.contains(|letter: char| letter.is_control() && letter != '\n'), "{text:?}");
    }
    if let Ok(image) = Image::read(&file.0) {
        let _ = image.check();
        for name in image.names() {
            assert!(image.span_of(name).is_ok_and(|span| span.end() <= length), "{name}");
            let _ = image.slots(name);
        }
    }
}

/// A file of this process; in memory, where the machine keeps such.
struct File(PathBuf);

impl File {
    fn with(bytes: &[u8]) -> Self {
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let thread = format!("{:?}", std::thread::current().id()).replace(['(', ')'], "");
        let path = folder.join(format!("fuzz-containers-{}-{thread}", std::process::id()));
        fs::write(&path, bytes).expect("a file for temporary use");
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
