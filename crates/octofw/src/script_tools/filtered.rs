//! Starts a program for which a few calls of the kernel do not exist, those that set owners do nothing, and the rights
//! of root are gone.
//!
//! Owners would be real ones where root builds, also of what is not the root's. So would device nodes be, mounts, and
//! the clock: a program of the printer would reach the build machine's disks. And proot translates the paths of the
//! calls that it knows. Older ones (5.1, as in Debian 12) know neither `statx` nor `faccessat2`, so that the emulator
//! would be told of the build machine's own files instead of the root's. Every program falls back to the older calls,
//! which are translated.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::libc;

/// How this program calls itself.
pub const NAME: &str = "filtered";

/// `fchmodat2`, which libc does not name yet; the number is that of every processor.
const FCHMODAT2: libc::c_long = 452;
const HIDDEN: [libc::c_long; 4] = [libc::SYS_statx, libc::SYS_faccessat2, libc::SYS_openat2, FCHMODAT2];

/// What sets owners.
#[cfg(target_arch = "x86_64")]
const OWNING: [libc::c_long; 4] = [libc::SYS_chown, libc::SYS_lchown, libc::SYS_fchown, libc::SYS_fchownat];
/// What sets owners.
#[cfg(not(target_arch = "x86_64"))]
const OWNING: [libc::c_long; 2] = [libc::SYS_fchown, libc::SYS_fchownat];

/// Rights of root that programs keep: CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH and CAP_FOWNER, for files of the root that
/// forbid what root may do on the printer.
const KEPT: u32 = 0b1110;
/// The form of the kernel's sets of rights that has two words for each: `_LINUX_CAPABILITY_VERSION_3`.
const TWO_WORDS: u32 = 0x2008_0522;

/// Becomes the program that the words name. Returns only if that fails.
#[must_use]
pub fn exec(words: &[OsString]) -> io::Error {
    let Some((program, arguments)) = words.split_first() else {
        return io::Error::from(io::ErrorKind::InvalidInput);
    };
    match give_up_rights().and_then(|()| hide()) {
        Ok(()) => Command::new(program).args(arguments).exec(),
        Err(error) => error,
    }
}

/// The kernel's `__user_cap_header_struct`.
#[repr(C)]
struct Header {
    version: u32,
    process: libc::c_int,
}

/// The kernel's `__user_cap_data_struct`: 32 rights.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Rights {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Gives up the rights that a program of the root has no use for, for good: no program that is started later gets more
/// than this process has. Who is not root has none, and nothing changes.
fn give_up_rights() -> io::Result<()> {
    nix::sys::prctl::set_no_new_privs()?;
    let header = Header { version: TWO_WORDS, process: 0 };
    let mut rights = [Rights::default(); 2];
    // SAFETY: for this version the call reads one header and writes two sets of rights, both of which live until it
    // returns.
    if unsafe { libc::syscall(libc::SYS_capget, &raw const header, rights.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let [low, high] = &mut rights;
    let kept = low.permitted & KEPT;
    *low = Rights { effective: kept, permitted: kept, inheritable: 0 };
    *high = Rights::default();
    // SAFETY: for this version the call reads one header and two sets of rights, both of which live until it returns.
    let done = unsafe { libc::syscall(libc::SYS_capset, &raw const header, rights.as_ptr()) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Hides the calls from this process and its children, for good.
fn hide() -> io::Result<()> {
    let mut filter = filter();
    let length = u16::try_from(filter.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len: length, filter: filter.as_mut_ptr() };
    nix::sys::prctl::set_no_new_privs()?;
    // SAFETY: the call reads `program` and the `len` instructions that it points to, both of which live until it
    // returns; the kernel checks the instructions and copies them.
    let done = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Instructions for the kernel: load the call's number; for each hidden one, answer ENOSYS; for each that sets owners,
/// answer without an error; else allow.
fn filter() -> Vec<libc::sock_filter> {
    const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    const COMPARE: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const ANSWER: u32 = libc::BPF_RET | libc::BPF_K;
    let step = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut steps = vec![step(LOAD, 0, 0, 0)];
    let hidden = HIDDEN.iter().map(|number| (number, libc::ENOSYS));
    for (number, error) in hidden.chain(OWNING.iter().map(|number| (number, 0))) {
        steps.push(step(COMPARE, 0, 1, *number as u32));
        steps.push(step(ANSWER, 0, 0, libc::SECCOMP_RET_ERRNO | error as u32));
    }
    steps.push(step(ANSWER, 0, 0, libc::SECCOMP_RET_ALLOW));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hidden_call_has_its_answer_and_all_others_pass() {
        let steps = filter();
        assert_eq!(steps.len(), 2 + 2 * (HIDDEN.len() + OWNING.len()));
        let expected =
            HIDDEN.iter().map(|n| (*n, 0x0005_0000 | 38)).chain(OWNING.iter().map(|n| (*n, 0x0005_0000)));
        for (pair, (number, answer)) in steps[1..].chunks(2).zip(expected) {
            assert_eq!((pair[0].k, pair[0].jt, pair[0].jf), (number as u32, 0, 1));
            assert_eq!(pair[1].k, answer);
        }
        assert_eq!(steps.last().unwrap().k, 0x7fff_0000);
    }
}
