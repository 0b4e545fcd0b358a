//! Images: as containers, and what they change against their base.

use std::fs;

use octofw::image::Image;
use octofw::lint::{Settings, lint};
use octofw::standin::container::{ContainerOptions, write_container};

use crate::base;
use crate::bed::{Bed, INIT, codes};

fn of(image: &std::path::Path, base: Option<&std::path::Path>) -> Vec<&'static str> {
    let settings = Settings {
        image: Some(image.to_owned()),
        base: base.map(Into::into),
        margin: 8 << 20,
        ..Settings::default()
    };
    let mut codes = codes(&lint(&settings).unwrap());
    // Every sample is small.
    codes.retain(|code| *code != "image/too-small");
    codes
}

#[test]
fn a_base_against_itself_has_nothing_to_say() {
    assert_eq!(of(base::image(), Some(base::image())), [""; 0]);
    assert_eq!(of(base::packed(), Some(base::packed())), [""; 0]);
    let settings = Settings { image: Some(base::image().to_owned()), ..Settings::default() };
    assert!(codes(&lint(&settings).unwrap()).contains(&"image/too-small"));
}

#[test]
fn only_what_an_image_changes_is_looked_at() {
    let mine = INIT.replace('\n', "\\n").replace('"', "\\\"").replace('$', "\\$");
    let init = format!("printf \"{mine}\" >etc/init.d/S66x; chmod 755 etc/init.d/S66x");
    for (change, expected) in [
        ("true".to_owned(), vec![]),
        (init.clone(), vec![]),
        (format!("{init}; chmod 644 etc/init.d/S66x"), vec!["init/not-executable"]),
        ("chmod 644 etc/init.d/S50nginx".to_owned(), vec!["init/not-executable"]),
        (format!("{init}; mv etc/init.d/S66x etc/init.d/S50x"), vec!["init/number-taken"]),
        ("chmod 4755 bin/busybox".to_owned(), vec!["files/setuid"]),
        ("chmod 666 etc/config".to_owned(), vec!["files/world-writable"]),
        ("printf '#!/usr/bin/perl\\n' >usr/bin/x".to_owned(), vec!["scripts/missing-interpreter"]),
        ("printf 'a\\r\\n' >etc/x.conf".to_owned(), vec!["files/windows-line-ends"]),
        ("ln -s /usr/lib etc/x; mkfifo etc/p".to_owned(), vec![]),
        ("ln -s ../../../x etc/x".to_owned(), vec!["files/link-escapes"]),
        ("rm lib/libc.so.6".to_owned(), vec![]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let image = base::changed(folder.path(), &change, &[]);
        assert_eq!(of(&image, Some(base::image())), expected, "{change}");
    }
}

#[test]
fn a_root_that_the_kernel_may_not_read_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let image = base::changed(folder.path(), "true", &["-comp", "zstd"]);
    assert_eq!(of(&image, None), ["image/compressor"]);
    let folder = tempfile::tempdir().unwrap();
    let image = base::changed(folder.path(), "true", &["-b", "64K"]);
    assert_eq!(of(&image, Some(base::image())), ["image/compressor"]);
}

#[test]
fn parts_sums_and_versions_are_held_against_the_base() {
    let folder = tempfile::tempdir().unwrap();
    let write = |options: &ContainerOptions| {
        let out = folder.path().join("other.bin");
        let _ = fs::remove_file(&out);
        write_container(base::packed(), options, &out).unwrap();
        out
    };
    let other = write(&ContainerOptions { container_version: 2, ..ContainerOptions::default() });
    assert_eq!(of(&other, Some(base::image())), ["image/protected-part"]);
    let mut bytes = fs::read(base::image()).unwrap();
    let misc = Image::open(base::image()).unwrap().span_of("misc.img").unwrap();
    bytes[misc.offset as usize] ^= 1;
    let touched = folder.path().join("touched.bin");
    fs::write(&touched, &bytes).unwrap();
    assert_eq!(of(&touched, Some(base::image())), ["image/protected-part", "image/sum"]);
    let other = write(&ContainerOptions { version: "9.9.9.9".into(), ..ContainerOptions::default() });
    assert!(of(&other, Some(base::image())).contains(&"image/version"));

    let mut bytes = fs::read(base::image()).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let broken = folder.path().join("broken.bin");
    fs::write(&broken, &bytes).unwrap();
    assert_eq!(of(&broken, None), ["image/sum"]);
    bytes[last] ^= 1;
    bytes.extend(b"more");
    fs::write(&broken, &bytes).unwrap();
    assert_eq!(of(&broken, None), ["image/unsound"]);
}

#[test]
fn overlays_are_held_against_a_whole_image_as_well() {
    let mut bed = Bed::new();
    bed.settings.base = Some(base::image().to_owned());
    bed.settings.version_suffix = Some("0123456789abcdef0123".into());
    bed.file("root/etc/config", "mine\n");
    let codes = bed.codes();
    assert_eq!(codes, ["files/replaces-stock", "image/version"]);
}
