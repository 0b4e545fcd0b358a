//! What changes the tree without a body: directories, names, modes, and taking away.

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Mutex;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::conditions;
use super::inside::Inside;
use super::jail::{self, Jail, Links, step};
use super::refusal::{Code, Refusal};
use super::write::Conditions;

/// Removes a file, a link, or a directory with all that is in it; never the root.
pub(crate) fn remove(
    jail: &Jail,
    path: &Inside,
    conditions: &Conditions,
    order: &Mutex<()>,
) -> Result<(), Refusal> {
    let _turn = order.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (folder, name) = jail.parent(path)?;
    let status = jail::status(&folder, name).map_err(|errno| Refusal::system(errno, path))?;
    conditions.check(Some(&conditions::etag(&status)), path)?;
    take_away(&folder, name, path)
}

fn take_away(folder: &OwnedFd, name: &OsStr, path: &Inside) -> Result<(), Refusal> {
    let system = |errno| Refusal::system(errno, path);
    let flags = match jail::status(folder, name).map(|status| jail::kind(&status)) {
        Ok(FileType::Directory) => AtFlags::REMOVEDIR,
        Ok(_) => AtFlags::empty(),
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(system(errno)),
    };
    match rustix::fs::unlinkat(folder, name, flags) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::NOTEMPTY | Errno::EXIST) if flags == AtFlags::REMOVEDIR => {}
        Err(errno) => return Err(system(errno)),
    }
    if path.depth() > 400 {
        return Err(Refusal::new(
            Code::InvalidPath,
            "more than 400 folders deep; remove the inner ones in a terminal",
        ));
    }
    let inner = step(folder, name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).map_err(system)?;
    // In portions, so that a directory of a million files needs little memory.
    loop {
        let (names, more) = jail::names(&inner, 1000).map_err(system)?;
        for inner_name in &names {
            take_away(&inner, inner_name, &path.join(inner_name))?;
        }
        if !more {
            break;
        }
    }
    match rustix::fs::unlinkat(folder, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(system(errno)),
    }
}

/// Makes a directory and those it lies in. One that exists is fine.
pub(crate) fn make_folder(jail: &Jail, path: &Inside) -> Result<(), Refusal> {
    if path.is_root() {
        return Ok(());
    }
    jail.make_folders(path, Links::Follow).map(|_| ())
}

/// Gives something another name or place. What has that name already is not replaced.
pub(crate) fn rename(
    jail: &Jail,
    old: &Inside,
    new: &Inside,
    conditions: &Conditions,
    order: &Mutex<()>,
) -> Result<(), Refusal> {
    let _turn = order.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if old != new && old.holds(new) {
        return Err(Refusal::new(
            Code::InvalidPath,
            format!("{old}: a directory cannot be moved into itself"),
        ));
    }
    let (from, old_name) = jail.parent(old)?;
    let (to, new_name) = jail.parent(new)?;
    let status = jail::status(&from, old_name).map_err(|errno| Refusal::system(errno, old))?;
    conditions.check(Some(&conditions::etag(&status)), old)?;
    match rustix::fs::renameat_with(&from, old_name, &to, new_name, RenameFlags::NOREPLACE) {
        // The file system cannot do it in one step.
        Err(Errno::INVAL | Errno::NOSYS) => match jail::status(&to, new_name) {
            Ok(_) => Err(Errno::EXIST),
            Err(Errno::NOENT) => rustix::fs::renameat(&from, old_name, &to, new_name),
            Err(errno) => Err(errno),
        },
        other => other,
    }
    .map_err(|errno| Refusal::system(errno, if errno == Errno::EXIST { new } else { old }))
}

/// Reads a mode as `chmod` takes it: octal digits.
pub(crate) fn mode(text: &str) -> Result<u32, Refusal> {
    let number = (text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| u32::from_str_radix(text, 8).ok());
    number.flatten().filter(|&mode| mode <= 0o7777).ok_or_else(|| {
        Refusal::new(Code::InvalidRequest, "mode: it must be octal, from 0 to 7777, for instance 755")
    })
}

/// Sets the mode of a file or directory. A link has none, and is not followed.
pub(crate) fn set_mode(jail: &Jail, path: &Inside, mode: u32) -> Result<(), Refusal> {
    let (folder, name) = jail.parent(path)?;
    let system = |errno| Refusal::system(errno, path);
    let place =
        rustix::fs::openat(&folder, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
            .map_err(system)?;
    let status = rustix::fs::fstat(&place).map_err(system)?;
    if jail::kind(&status) == FileType::Symlink {
        return Err(Refusal::new(
            Code::NotAFile,
            format!("{path}: a link has no mode; change that of its target"),
        ));
    }
    // The open place is what is changed, whatever has its name meanwhile.
    let itself = format!("/proc/self/fd/{}", place.as_fd().as_raw_fd());
    rustix::fs::chmod(itself.as_str(), Mode::from_raw_mode(mode)).map_err(system)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn place() -> (tempfile::TempDir, Jail, Mutex<()>) {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(place.path().join("root/a/b/c")).unwrap();
        std::fs::create_dir_all(place.path().join("other")).unwrap();
        std::fs::write(place.path().join("other/keep"), "").unwrap();
        std::fs::write(place.path().join("root/a/b/file"), "x").unwrap();
        symlink("../../other", place.path().join("root/a/out")).unwrap();
        let jail = Jail::open(&place.path().join("root")).unwrap();
        (place, jail, Mutex::new(()))
    }

    fn path(text: &str) -> Inside {
        Inside::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_directory_goes_with_its_content_and_links_go_as_links() {
        let (place, jail, order) = place();
        remove(&jail, &path("a"), &Conditions::default(), &order).unwrap();
        assert!(!place.path().join("root/a").exists());
        assert!(place.path().join("other/keep").exists());
        let codes = ["", "a"]
            .map(|text| remove(&jail, &path(text), &Conditions::default(), &order).unwrap_err().code);
        assert_eq!(codes, [Code::InvalidPath, Code::NotFound]);
    }

    #[test]
    fn nothing_is_replaced_by_a_rename() {
        let (place, jail, order) = place();
        std::fs::write(place.path().join("root/taken"), "y").unwrap();
        let go = |old, new| {
            rename(&jail, &path(old), &path(new), &Conditions::default(), &order)
                .map_err(|refusal| refusal.code)
        };
        assert_eq!(go("a/b/file", "taken"), Err(Code::AlreadyExists));
        assert_eq!(go("a", "a/b/inner"), Err(Code::InvalidPath));
        assert_eq!(go("a/b/file", "no/where"), Err(Code::NotFound));
        assert_eq!(go("a/b/file", "a/out/keep2"), Err(Code::PathTraversal));
        assert_eq!(go("missing", "x"), Err(Code::NotFound));
        assert_eq!(go("a/b/file", "moved"), Ok(()));
        assert_eq!(std::fs::read(place.path().join("root/moved")).unwrap(), b"x");
    }

    #[test]
    fn modes_are_set_on_what_is_named_and_never_behind_a_link() {
        let (place, jail, _) = place();
        set_mode(&jail, &path("a/b/file"), mode("0755").unwrap()).unwrap();
        let got = std::fs::metadata(place.path().join("root/a/b/file")).unwrap().permissions().mode();
        assert_eq!(got & 0o7777, 0o755);
        assert_eq!(set_mode(&jail, &path("a/out"), 0o777).unwrap_err().code, Code::NotAFile);
        for bad in ["", "8", "+x", "17777", "-1", "0o755", "0000755"] {
            assert!(mode(bad).is_err(), "{bad}");
        }
    }
}
