//! What holds of the page in every state.

use super::samples::all;
use super::*;
use std::collections::HashSet;

/// The values of an attribute, in their order.
fn values<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    html.split(start.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn every_id_is_there_once_and_what_refers_to_one_finds_it() {
    for (name, sight) in all() {
        let page = whole(&sight);
        let ids = values(&page, "id");
        let unique: HashSet<_> = ids.iter().copied().collect();
        assert_eq!(ids.len(), unique.len(), "{name}: {ids:?}");
        for refers in ["for", "aria-labelledby", "data-into"] {
            for id in values(&page, refers).into_iter().flat_map(str::split_whitespace) {
                assert!(unique.contains(id), "{name}: {refers}={id}");
            }
        }
        for part in parts(&sight) {
            assert!(page.contains(&part.html) && unique.contains(part.id.as_str()), "{name}: {}", part.id);
        }
    }
}

#[test]
fn every_form_bears_the_key_and_goes_to_one_place() {
    for (name, sight) in all() {
        let page = whole(&sight);
        for form in page.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap();
            assert!(
                form.contains("action=\"page/do\"") && form.contains("method=\"post\""),
                "{name}: {form}"
            );
            assert!(form.contains(&format!("name=\"key\" value=\"{}\"", sight.key)), "{name}: {form}");
            assert!(form.contains("name=\"do\""), "{name}: {form}");
        }
    }
}

/// The policy of the page allows nothing that stands in it.
#[test]
fn nothing_is_loaded_from_elsewhere_and_nothing_stands_inline() {
    for (name, sight) in all() {
        let page = whole(&sight);
        assert!(
            !page.contains("style=") && !page.contains("<style") && !page.contains("javascript:"),
            "{name}"
        );
        assert_eq!(page.matches("<script").count(), 1, "{name}");
        assert!(values(&page, "src").iter().all(|src| src.starts_with("page/")), "{name}");
        let mut words = page.split('<').flat_map(|tag| tag.split('>').next().unwrap().split_whitespace());
        assert!(!words.any(|word| word.starts_with("on") && word.contains('=')), "{name}");
    }
    assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
}

/// What is unfolded for a file is unfolded for as long as it is on the page.
#[test]
fn the_place_for_connects_file_stays_while_one_is_read() {
    let (_, sight) = all().remove(0);
    let shown = |course: Course| {
        let mut sight = sight.clone();
        sight.cards[1].course = course;
        let page = whole(&sight);
        [page.contains("id=\"import-prusa_connect\""), page.contains("value=\"pair\">Get a code")]
    };
    assert_eq!(shown(Course::Idle), [true, true]);
    assert_eq!(shown(Course::Busy(None)), [true, false]);
    assert_eq!(shown(Course::Failed("this is no settings file".to_owned())), [true, true]);
    // A code is waited for.
    assert_eq!(shown(Course::Busy(Some("status 503; trying again".to_owned()))), [false, false]);
    assert_eq!(shown(Course::Waiting(Invitation::default())), [false, false]);
}

#[test]
fn the_shell_is_filled() {
    let (_, sight) = all().remove(0);
    let page = whole(&sight);
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    assert!(!page.contains('{'), "a place is left");
    let hostile = Sight { printer: "{parts}<script>alert(1)</script>".to_owned(), ..sight };
    let page = whole(&hostile);
    assert_eq!(page.matches("<script").count(), 1);
    assert_eq!(page.matches("<main>").count(), 1);
}

/// Draws all states into a folder, to be looked at: `PAGE_SAMPLES=FOLDER`.
#[test]
fn samples_can_be_looked_at() {
    let Some(folder) = std::env::var_os("PAGE_SAMPLES").map(std::path::PathBuf::from) else { return };
    std::fs::create_dir_all(folder.join("page")).unwrap();
    std::fs::write(folder.join("page/page.css"), STYLE).unwrap();
    std::fs::write(folder.join("page/page.js"), SCRIPT).unwrap();
    for (name, sight) in all() {
        std::fs::write(folder.join(format!("{name}.html")), whole(&sight)).unwrap();
    }
}

/// The document with its style and script, as they go over the network: they are not even compressed.
#[test]
fn the_page_is_light_in_every_state() {
    for (name, sight) in all() {
        let bytes = whole(&sight).len() + STYLE.len() + SCRIPT.len();
        assert!(bytes <= 60_000, "{name}: {bytes} bytes");
    }
}
