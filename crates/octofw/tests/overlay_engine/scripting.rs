//! Scripts on the unpacked root.

use crate::bed::Bed;

#[test]
fn scripts_run_in_order_from_the_repository_with_the_root_as_argument() {
    let bed = Bed::with(|o| {
        o.script("scripts/2.sh", "echo two >>$1/etc/log")
            .script("scripts/10.sh", r#"printf '%s|%s|%s|%s|%s\n' "$#" "$(basename "$1")" "$CREATE_FIRMWARE" "$(umask)" "$(id -u)" >$1/etc/log; pwd >$1/etc/cwd"#)
            .file("scripts/notes.txt", "no script")
            .script("scripts/sub/3.sh", "exit 1");
    });
    let built = bed.build().unwrap();
    assert_eq!(built.content("etc/log"), "1|root|1|0022|0\ntwo\n");
    assert_eq!(built.content("etc/cwd").trim(), bed.folder.path().canonicalize().unwrap().to_str().unwrap());
}

#[test]
fn a_script_can_do_what_only_root_can() {
    let bed = Bed::with(|o| {
        o.script("scripts/1.sh", "cd $1; mknod dev/x c 1 3; echo x >etc/x; chown 1000:33 etc/x; chmod 4711 etc/x; install -m 0000 etc/x etc/y; ln etc/x etc/z; mv etc/config etc/moved");
    });
    let built = bed.build().unwrap();
    for (path, line) in [
        ("dev/x", "crw-r--r-- 0/0 1,3 new"),
        ("etc/x", "-rws--x--x 1000/33 2 new"),
        ("etc/z", "-rws--x--x 1000/33 2 new"),
        ("etc/y", "---------- 0/0 2 new"),
        ("etc/moved", "-rw-r----- 0/33 45 old"),
    ] {
        assert_eq!(built.line(path), line, "{path}");
    }
    assert_eq!(built.report.result.hard_links, 4);
}

#[test]
fn times_that_a_script_sets_do_not_get_into_the_image() {
    let bed = Bed::with(|o| {
        o.script(
            "scripts/1.sh",
            "cd $1; touch -d @1 etc/touched; ln -s x etc/link; ln etc/passwd etc/passwd2; rm etc/dangling",
        );
    });
    let built = bed.build().unwrap();
    assert_eq!(built.line("etc/touched"), "-rw-r--r-- 0/0 0 new");
    assert_eq!(built.line("etc/link -> x"), "lrwxrwxrwx 0/0 1 new");
    assert_eq!(built.line("etc/passwd2"), "-rw-r--r-- 0/0 11 old");
    assert_eq!(built.line("etc"), "drwxr-xr-x 0/0 new");
}

#[test]
fn a_failing_script_is_shown_with_command_status_and_output() {
    let mut bed = Bed::with(|o| {
        o.script("scripts/1.sh", "echo 'cannot do this' >&2; exit 7");
    });
    bed.overlay("02-never", |o| {
        o.script("scripts/1.sh", "touch $ROOT_DIR/ran");
    });
    let error = bed.error();
    assert!(
        error.starts_with("overlay 01-test: scripts/1.sh: sh -c 'umask 022; exec \"$@\"' sh "),
        "{error}"
    );
    assert!(error.contains("ended with exit status 7:\ncannot do this"), "{error}");
    assert!(!bed.path("ran").exists());
}

#[test]
fn an_owner_does_not_come_back_with_a_reused_inode() {
    // Many files of a foreign owner go and as many of root's come: inode numbers are used again.
    let body = "cd $1; mkdir t; i=0; while [ $i -lt 200 ]; do : >t/$i; i=$((i+1)); done; chown -R 1000:1000 t; chmod 4700 t/*; rm -r t
mkdir u; i=0; while [ $i -lt 200 ]; do : >u/$i; i=$((i+1)); done";
    let built = Bed::with(|o| {
        o.script("scripts/1.sh", body).file("root/v/w", "");
    })
    .build()
    .unwrap();
    let listing = built.listing();
    let wrong: Vec<_> = listing
        .iter()
        .filter(|(path, line)| path.starts_with("u/") && !line.starts_with("-rw-r--r-- 0/0 "))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(listing.keys().filter(|path| path.starts_with("u/")).count(), 200);
}

#[test]
fn a_build_folder_may_have_blanks_and_quotes_in_its_name() {
    let mut bed = Bed::named("one's \"bed\" ");
    bed.overlay("01-test", |overlay| {
        overlay.script("scripts/1.sh", "echo made > \"$1/etc/made\"; chown 1000:1000 \"$1/etc/made\"");
    });
    let built = bed.build().unwrap();
    assert_eq!(built.line("etc/made"), "-rw-r--r-- 1000/1000 5 new");
}

#[test]
fn a_script_that_takes_the_root_away_is_named() {
    for (folder, does) in [
        ("scripts", "rm -rf \"$1\""),
        ("scripts", "mv \"$1\" \"$1.kept\"; ln -s \"$1.kept\" \"$1\""),
        ("pre-scripts", "mv \"$1\" \"$1.kept\"; echo x >\"$1\""),
    ] {
        let mut bed = Bed::new();
        bed.overlay("01-test", |o| {
            o.script(&format!("{folder}/1.sh"), does);
        });
        // Nothing else is done to what is not the root.
        bed.overlay("02-test", |o| {
            o.file("root/etc/new", "new");
        });
        let expected = format!("overlay 01-test: {folder}/1.sh: it took the root away: ");
        assert!(bed.error().starts_with(&expected), "{}", bed.error());
        bed.rehearse = true;
        assert!(bed.error().starts_with(&expected), "{}", bed.error());
        assert!(!bed.path("work/root.kept/etc/new").exists(), "{does}");
    }
}
