//! A person before a browser: knows things by what they are called, and uses a mouse, a keyboard, and eyes.

use serde_json::json;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::browser::{Browser, Look};
use crate::wait;

/// Keys, as WebDriver has them.
pub(super) const TAB: &str = "\u{e004}";
pub(super) const ENTER: &str = "\u{e007}";
const CONTROL: &str = "\u{e009}";
/// Far longer than anything takes that a person waits for here.
const SOON: Duration = Duration::from_secs(90);

/// Somebody who looks for things by role and name, as a screen reader tells them.
pub(super) struct Person {
    pub(super) browser: Browser,
    axe: String,
    /// What the browser may complain of: an address, and the status that it answered with.
    expected: RefCell<Vec<(&'static str, &'static str)>>,
}

impl Person {
    pub(super) fn sits_down() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let axe = std::env::var_os("AXE").map(PathBuf::from);
        let axe = axe.unwrap_or_else(|| root.join(".cache/python/axe/axe.min.js"));
        let axe = std::fs::read_to_string(&axe).unwrap_or_else(|error| panic!("{}: {error}", axe.display()));
        Self { browser: Browser::start(Look::default()), axe, expected: RefCell::default() }
    }

    /// The element of this role that is called so.
    fn named(&self, role: &str, name: &str) -> Option<String> {
        let selector = match role {
            "link" => "a[href]",
            "checkbox" => "input[type=checkbox]",
            "textbox" => "input:not([type=checkbox]):not([type=file])",
            role => role,
        };
        let word = |element: &str, what: &str| {
            let answer = self.browser.get(&format!("/element/{element}/{what}"));
            answer.as_str().unwrap_or_default().to_owned()
        };
        let mut all = self.browser.find_all(selector).into_iter();
        all.find(|one| word(one, "computedlabel") == name && word(one, "computedrole") == role)
    }

    /// Clicks the button, link or box that is called so. Nothing may lie over it.
    pub(super) fn click(&self, role: &str, name: &str) {
        wait::until(&format!("the {role} \"{name}\""), SOON, || {
            let found = self.named(role, name)?;
            let at_work = self.browser.get(&format!("/element/{found}/attribute/aria-disabled"));
            if !at_work.is_null() {
                return None;
            }
            self.browser.post(&format!("/element/{found}/click"), &json!({})).is_null().then_some(())
        });
    }

    /// Types into the field that is called so, in place of what stands there.
    pub(super) fn fill(&self, name: &str, text: &str) {
        self.click("textbox", name);
        self.select_all();
        self.types(text);
    }

    pub(super) fn types(&self, text: &str) {
        self.browser.press(text);
    }

    pub(super) fn select_all(&self) {
        let key = |kind: &str, value: &str| json!({"type": kind, "value": value});
        let actions =
            [key("keyDown", CONTROL), key("keyDown", "a"), key("keyUp", "a"), key("keyUp", CONTROL)];
        let actions = json!({"actions": [{"type": "key", "id": "keys", "actions": actions}]});
        self.browser.post("/actions", &actions);
    }

    /// What has the focus, as a screen reader tells it.
    fn focused(&self) -> String {
        let active = self.browser.get("/element/active");
        let element = active.as_object().and_then(|object| object.values().next());
        let Some(element) = element.and_then(|id| id.as_str()) else { return String::new() };
        let label = self.browser.get(&format!("/element/{element}/computedlabel"));
        label.as_str().unwrap_or_default().to_owned()
    }

    /// Goes to what is called so, by the keyboard alone.
    pub(super) fn tabs_to(&self, name: &str) {
        let mut seen = vec![self.focused()];
        while seen.last().is_none_or(|seen| seen != name) {
            self.types(TAB);
            seen.push(self.focused());
            assert!(seen.len() < 30, "no way to {name} by the keyboard: {seen:?}");
        }
    }

    /// Waits until this is to be read on the page.
    pub(super) fn sees(&self, text: &str) -> String {
        let read = || self.browser.text("body").filter(|shown| shown.contains(text));
        wait::until(&format!("\"{text}\" on the page"), SOON, read)
    }

    /// Waits until this is not to be read on the page any more.
    pub(super) fn sees_no(&self, text: &str) {
        self.browser.wait_without("body", text);
    }

    /// The tab that is looked at.
    pub(super) fn tab(&self) -> String {
        self.browser.get("/window").as_str().unwrap().to_owned()
    }

    /// Waits until the tab that a click has opened is there, and goes to it. Gives the former one, and this one.
    pub(super) fn follows_to_the_new_tab(&self) -> (String, String) {
        let former = self.tab();
        let new = wait::until("a new tab", SOON, || {
            let all = self.browser.get("/window/handles");
            let all = all.as_array().unwrap().iter().filter_map(|one| one.as_str());
            all.rev().find(|one| *one != former).map(str::to_owned)
        });
        self.goes_to(&new);
        (former, new)
    }

    /// Goes to a tab.
    pub(super) fn goes_to(&self, tab: &str) {
        self.browser.switch_to(tab);
        self.browser.tool("Page.bringToFront", &json!({}));
    }

    /// Judges what is shown by all of axe's rules, and takes a picture: light on a wide window, and dark on a phone.
    /// Colours do not depend on the width.
    pub(super) fn judges(&self, name: &str) {
        let browser = &self.browser;
        for (place, size, dark) in [("wide-light", (1200, 1000), false), ("phone-dark", (390, 844), true)] {
            browser.be(Look { size, dark, ..browser.look() });
            let name = format!("{name}-{place}");
            browser.picture(&Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("workshop/{name}.png")));
            let found = browser.axe(&self.axe);
            assert!(found.is_empty(), "{name}: {found:#?}");
            let over = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
            assert_eq!(browser.run(over), 0, "{name} is wider than what shows it");
        }
        browser.be(browser.look());
    }

    /// A refusal that is meant to come: the browser tells of each in its console.
    pub(super) fn expects(&self, address: &'static str, status: &'static str) {
        self.expected.borrow_mut().push((address, status));
    }

    /// No script failed, nothing was forbidden to the page, and nothing was missing, but for what was expected.
    pub(super) fn has_nothing_to_complain_of(&self) {
        let expected = self.expected.borrow();
        let known = |line: &String| {
            expected.iter().any(|(address, status)| line.contains(address) && line.contains(status))
        };
        let unknown: Vec<String> =
            self.browser.complaints().into_iter().filter(|line| !known(line)).collect();
        assert!(unknown.is_empty(), "the browser's console: {unknown:#?}");
    }
}
