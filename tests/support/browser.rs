//! A real browser: Chromium without a window, steered as the W3C's WebDriver has it.

use super::ports::free_port;
use super::wait;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use ureq::Agent;

/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// Far longer than a page takes on loopback.
const SOON: Duration = Duration::from_secs(40);

/// How a browser is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// Width and height of the window.
    pub(crate) size: (u32, u32),
    /// Whether its owner likes it dark.
    pub(crate) dark: bool,
    /// Whether it runs scripts.
    pub(crate) scripts: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self { size: (1200, 1000), dark: false, scripts: true }
    }
}

/// A browser with one session, ended when it is dropped.
pub(crate) struct Browser {
    driver: Child,
    agent: Agent,
    session: String,
    look: Look,
    home: tempfile::TempDir,
}

impl Browser {
    /// Starts one.
    pub(crate) fn start(look: Look) -> Self {
        let home = tempfile::tempdir().unwrap();
        let (driver, port) = Self::driver(home.path());
        let base = format!("http://127.0.0.1:{port}");
        let agent: Agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .into();
        let (width, height) = look.size;
        let mut arguments = vec![
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--disable-background-networking".to_owned(),
            "--no-first-run".to_owned(),
            format!("--window-size={width},{height}"),
            format!("--user-data-dir={}", home.path().join("profile").display()),
        ];
        if !look.scripts {
            arguments.push("--blink-settings=scriptEnabled=false".to_owned());
        }
        let prefs = json!({"download.default_directory": home.path().join("downloads")});
        let options = json!({"args": arguments, "prefs": prefs});
        let wanted = json!({"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}});
        let wanted = json!({"capabilities": {"alwaysMatch": wanted}});
        let mut browser = Self { driver, agent, session: format!("{base}/session"), look, home };
        // Chromium itself may end at its start on a busy machine.
        let begin = || {
            let _ = std::fs::remove_dir_all(browser.home.path().join("profile"));
            let begun = browser.post("", &wanted);
            begun["sessionId"].as_str().map(str::to_owned).ok_or(begun)
        };
        let id = begin().or_else(|_| begin()).or_else(|_| begin());
        let id = id.unwrap_or_else(|why| panic!("no session: {why}"));
        browser.session = format!("{base}/session/{id}");
        browser.be(look);
        browser
    }

    /// Starts chromedriver; returns it and its port on 127.0.0.1. Left to pick one itself, it picks one that is free for
    /// IPv6 and ends where somebody has the same for IPv4.
    fn driver(home: &Path) -> (Child, u16) {
        let mut said = Vec::new();
        for _ in 0..3 {
            let port = free_port();
            let mut driver = Command::new("chromedriver")
                .arg(format!("--port={port}"))
                .env("HOME", home)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("chromedriver is missing: run `make test` once, which installs it");
            let lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
            for line in lines {
                if line.contains("successfully on port") {
                    return (driver, port);
                }
                said.push(line);
            }
            let _ = driver.wait();
        }
        panic!("chromedriver does not start: {}", said.join("\n"));
    }

    /// Shows what is open as another browser would, that runs scripts as this one does.
    pub(crate) fn be(&self, look: Look) {
        let (width, height) = look.size;
        // A window cannot be as narrow as a phone; what is shown in it can.
        match width < 500 {
            true => {
                let metrics =
                    json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": true});
                self.tool("Emulation.setDeviceMetricsOverride", &metrics)
            }
            false => self.tool("Emulation.clearDeviceMetricsOverride", &json!({})),
        };
        let scheme = if look.dark { "dark" } else { "light" };
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme},
            // Nothing is to be on its way from one colour to another when it is looked at.
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.tool("Emulation.setEmulatedMedia", &json!({"features": features}));
    }

    /// How it was when it was started.
    pub(crate) fn look(&self) -> Look {
        self.look
    }

    /// Does something that only Chromium's own tools can.
    pub(crate) fn tool(&self, command: &str, parameters: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    /// Sends a command of WebDriver, by its path below the session.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.session);
        let mut answer =
            self.agent.post(&url).content_type("application/json").send(body.to_string()).unwrap();
        Self::value(&mut answer)
    }

    /// Asks WebDriver something, by its path below the session.
    pub(crate) fn get(&self, path: &str) -> Value {
        let mut answer = self.agent.get(format!("{}{path}", self.session)).call().unwrap();
        Self::value(&mut answer)
    }

    fn value(answer: &mut ureq::http::Response<ureq::Body>) -> Value {
        let text = answer.body_mut().with_config().limit(64 << 20).read_to_string().unwrap();
        let mut whole: Value = serde_json::from_str(&text).unwrap();
        whole["value"].take()
    }

    /// Keeps nothing of what it has seen so far.
    pub(crate) fn forget(&self) {
        self.tool("Network.clearBrowserCache", &json!({}));
    }

    /// Opens an address.
    pub(crate) fn open(&self, url: &str) {
        let opened = self.post("/url", &json!({"url": url}));
        assert!(opened.is_null(), "{url}: {opened}");
    }

    /// Opens another tab, and goes there. Gives what both are called: the former, the new one.
    pub(crate) fn new_tab(&self) -> (String, String) {
        let former = self.get("/window").as_str().unwrap().to_owned();
        let tab = self.post("/window/new", &json!({"type": "tab"}))["handle"].as_str().unwrap().to_owned();
        self.switch_to(&tab);
        (former, tab)
    }

    /// Goes to a tab.
    pub(crate) fn switch_to(&self, tab: &str) {
        self.post("/window", &json!({"handle": tab}));
    }

    /// Runs a script in the page; gives what it returns.
    pub(crate) fn run(&self, script: &str) -> Value {
        let done = self.post("/execute/sync", &json!({"script": script, "args": []}));
        assert!(done.get("error").is_none(), "{done}");
        done
    }

    /// The text of what a selector finds; none where it finds nothing.
    pub(crate) fn text(&self, selector: &str) -> Option<String> {
        let found = self.find(selector)?;
        self.get(&format!("/element/{found}/text")).as_str().map(str::to_owned)
    }

    fn find(&self, selector: &str) -> Option<String> {
        let found = self.post("/element", &json!({"using": "css selector", "value": selector}));
        found[ELEMENT].as_str().map(str::to_owned)
    }

    /// Everything that a selector finds, as WebDriver names it.
    pub(crate) fn find_all(&self, selector: &str) -> Vec<String> {
        let found = self.post("/elements", &json!({"using": "css selector", "value": selector}));
        let found = found.as_array().cloned().unwrap_or_default();
        found.iter().filter_map(|one| one[ELEMENT].as_str().map(str::to_owned)).collect()
    }

    /// A file that was downloaded, by its name; none until it is whole.
    pub(crate) fn downloaded(&self, name: &str) -> Option<Vec<u8>> {
        // While it comes it has another name.
        std::fs::read(self.home.path().join("downloads").join(name)).ok()
    }

    /// What has come to the browser's console since it was last asked: errors of scripts, and what could not be loaded.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({"type": "browser"}));
        let log = log.as_array().unwrap_or_else(|| panic!("no log: {log}"));
        log.iter().filter_map(|line| line["message"].as_str().map(str::to_owned)).collect()
    }

    /// Waits until what a selector finds holds this text.
    pub(crate) fn wait_for(&self, selector: &str, text: &str) -> String {
        wait::until(&format!("{selector} to show \"{text}\""), SOON, || {
            self.text(selector).filter(|shown| shown.contains(text))
        })
    }

    /// Waits until what a selector finds does not hold this text.
    pub(crate) fn wait_without(&self, selector: &str, text: &str) {
        wait::until(&format!("{selector} to show no \"{text}\""), SOON, || {
            self.text(selector).filter(|shown| !shown.contains(text))
        });
    }

    /// Clicks what a selector finds.
    pub(crate) fn click(&self, selector: &str) {
        wait::until(&format!("{selector} to be clicked"), SOON, || {
            let found = self.find(selector)?;
            self.post(&format!("/element/{found}/click"), &json!({})).is_null().then_some(())
        });
    }

    /// Types into what a selector finds.
    pub(crate) fn type_into(&self, selector: &str, text: &str) {
        wait::until(&format!("{selector} to be typed into"), SOON, || {
            let found = self.find(selector)?;
            let typed = self.post(&format!("/element/{found}/value"), &json!({"text": text}));
            typed.is_null().then_some(())
        });
    }

    /// Presses keys, whatever has the focus.
    pub(crate) fn press(&self, keys: &str) {
        let press = |key: char| {
            let key = key.to_string();
            [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})]
        };
        let actions: Vec<Value> = keys.chars().flat_map(press).collect();
        self.post("/actions", &json!({"actions": [{"type": "key", "id": "keys", "actions": actions}]}));
    }

    /// What has the focus: its text or its name.
    pub(crate) fn focused(&self) -> String {
        let script = "const at = document.activeElement; return (at.getAttribute('aria-label') || at.textContent || at.name || '').trim()";
        self.run(script).as_str().unwrap_or_default().to_owned()
    }

    /// Puts a picture of the whole page into a file, also of what one would have to scroll to.
    pub(crate) fn picture(&self, path: &Path) {
        use base64::Engine as _;
        use base64::prelude::BASE64_STANDARD;
        let size = self.tool("Page.getLayoutMetrics", &json!({}))["cssContentSize"].take();
        let clip = json!({"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1});
        let shot = self.tool("Page.captureScreenshot", &json!({"captureBeyondViewport": true, "clip": clip}));
        let bytes = BASE64_STANDARD.decode(shot["data"].as_str().unwrap().as_bytes()).unwrap();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// What axe finds wrong for people who cannot see, hear or point, by all its rules.
    pub(crate) fn axe(&self, program: &str) -> Vec<String> {
        self.run(program);
        let script = "const done = arguments[arguments.length - 1]; const rules = {}; \
            axe.getRules().forEach(rule => { rules[rule.ruleId] = { enabled: true }; }); \
            axe.run(document, { rules, resultTypes: ['violations'] }).then(found => \
            done(found.violations.map(one => one.id + ': ' + one.help + ' at ' + one.nodes.map(node => \
            node.target.join(' ') + ' (' + node.failureSummary + ')').join('; '))), error => done(['' + error]))";
        let found = self.post("/execute/async", &json!({"script": script, "args": []}));
        let found = found.as_array().unwrap_or_else(|| panic!("axe said {found}"));
        found.iter().map(|one| one.as_str().unwrap_or_default().to_owned()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
