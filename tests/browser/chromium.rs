//! A Chromium of a test's own, spoken to through pipes in the words of its `DevTools` protocol.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long anything may take: machines are busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// A browser, which ends when this is dropped.
pub(crate) struct Browser {
    process: Child,
    to: File,
    from: BufReader<File>,
    calls: u64,
    /// What it told that nobody has asked for yet.
    events: Vec<Value>,
    _place: TempDir,
}

/// Where Chromium is.
fn program() -> Option<PathBuf> {
    let chosen = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths).flat_map(|path| names.map(|name| path.join(name)));
    chosen.into_iter().chain(found).find(|path| path.is_file())
}

impl Browser {
    /// Starts one; none if there is none, which is said, and which fails in CI.
    pub(crate) fn start() -> Option<Browser> {
        let Some(program) = program() else {
            assert!(
                std::env::var_os("CI").is_none(),
                "there is no Chromium: testdata/prerequisites --browser installs it"
            );
            // past the harness, which shows nothing of tests that pass
            let said = "SKIPPED: there is no Chromium, so no page was looked at; testdata/prerequisites --browser installs it\n";
            std::io::stderr().write_all(said.as_bytes()).expect("somebody listens");
            return None;
        };
        let place = tempfile::tempdir().expect("a directory");
        let [to, from] = ["to", "from"].map(|name| place.path().join(name));
        assert!(Command::new("mkfifo").args([&to, &from]).status().expect("mkfifo").success());
        // it reads from the third and writes to the fourth of its files
        let script = "exec \"$0\" --headless --no-sandbox --disable-gpu --remote-debugging-pipe --no-first-run \
                      --disable-background-networking --user-data-dir=\"$1\" about:blank 3<\"$2\" 4>\"$3\"";
        let process = Command::new("sh")
            .args(["-c", script])
            .arg(program)
            .arg(place.path().join("profile"))
            .args([&to, &from])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let to = OpenOptions::new().write(true).open(&to).expect("a pipe");
        let from = BufReader::new(File::open(&from).expect("a pipe"));
        Some(Browser { process, to, from, calls: 0, events: Vec::new(), _place: place })
    }

    /// A new page.
    pub(crate) fn page(&mut self) -> Page<'_> {
        let target = self.call("Target.createTarget", &json!({"url": "about:blank"}), None);
        let attached =
            self.call("Target.attachToTarget", &json!({"targetId": target["targetId"], "flatten": true}), None);
        let session = attached["sessionId"].as_str().expect("a session").to_owned();
        let mut page = Page { browser: self, session };
        for domain in ["Page", "Runtime", "Network", "Log", "Performance"] {
            page.call(&format!("{domain}.enable"), &json!({}));
        }
        page.resize(1_100, 900);
        page
    }

    fn call(&mut self, method: &str, parameters: &Value, session: Option<&str>) -> Value {
        self.calls += 1;
        let id = self.calls;
        let mut call = json!({"id": id, "method": method, "params": parameters});
        if let Some(session) = session {
            call["sessionId"] = session.into();
        }
        self.to.write_all(call.to_string().as_bytes()).and_then(|()| self.to.write_all(b"\0")).expect("it listens");
        let patience = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < patience, "no answer to {method}");
            let told = self.read();
            if told["id"] == id {
                assert!(told["error"].is_null(), "{method}: {}", told["error"]);
                return told["result"].clone();
            }
            self.events.push(told);
        }
    }

    fn read(&mut self) -> Value {
        let mut told = Vec::new();
        self.from.read_until(0, &mut told).expect("it speaks");
        assert_eq!(told.pop(), Some(0), "the browser has ended");
        serde_json::from_slice(&told).expect("it speaks JSON")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A page of a browser.
pub(crate) struct Page<'b> {
    browser: &'b mut Browser,
    session: String,
}

impl Page<'_> {
    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.browser.call(method, parameters, Some(&self.session))
    }

    /// The address of a file.
    pub(crate) fn address(path: &Path) -> String {
        let path = path.to_str().expect("UTF-8");
        format!("file://{}", path.replace('%', "%25"))
    }

    /// Shows a file, and forgets what was told of others.
    pub(crate) fn show(&mut self, path: &Path) {
        self.go_to(&Page::address(path));
    }

    /// Shows a place in a file.
    pub(crate) fn show_at(&mut self, path: &Path, anchor: &str) {
        self.go_to(&format!("{}#{anchor}", Page::address(path)));
    }

    fn go_to(&mut self, address: &str) {
        self.browser.events.clear();
        let gone = self.call("Page.navigate", &json!({"url": address}));
        assert!(gone["errorText"].is_null(), "{address}: {gone}");
        let patience = Instant::now() + PATIENCE;
        while !self.browser.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            assert!(Instant::now() < patience, "{address} does not load");
            let told = self.browser.read();
            self.browser.events.push(told);
        }
    }

    /// What an expression is.
    #[track_caller]
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let parameters = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let found = self.call("Runtime.evaluate", &parameters);
        assert!(found["exceptionDetails"].is_null(), "{expression}: {found}");
        found["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, expression: &str) {
        let patience = Instant::now() + PATIENCE;
        while self.evaluate(expression) != true {
            assert!(Instant::now() < patience, "it never was so: {expression}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    pub(crate) fn resize(&mut self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Shows it on a `screen` or as in `print`, to somebody who wants it `light` or `dark`.
    pub(crate) fn emulate(&mut self, media: &str, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", &json!({"media": media, "features": features}));
    }

    pub(crate) fn without_scripts(&mut self) {
        self.call("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    }

    /// Presses a key.
    pub(crate) fn press(&mut self, key: &str) {
        for kind in ["keyDown", "keyUp"] {
            self.call("Input.dispatchKeyEvent", &json!({"type": kind, "key": key}));
        }
    }

    /// Enters text where the keyboard is.
    pub(crate) fn insert(&mut self, text: &str) {
        self.call("Input.insertText", &json!({"text": text}));
    }

    /// The page as a PDF.
    pub(crate) fn print(&mut self) -> Vec<u8> {
        let printed = self.call("Page.printToPDF", &json!({"preferCSSPageSize": true, "printBackground": true}));
        let data = printed["data"].as_str().expect("a document");
        base64::engine::general_purpose::STANDARD.decode(data).expect("base64")
    }

    /// What was asked for since it was shown.
    pub(crate) fn requests(&mut self) -> Vec<String> {
        // so that all there is has been told
        self.evaluate("new Promise(done => setTimeout(done, 20))");
        let events = self.browser.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        events.map(|event| event["params"]["request"]["url"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// What the console says, and what the policy has kept the page from.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        let told = ["Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"];
        let events = self.browser.events.iter().filter(|event| told.iter().any(|method| event["method"] == *method));
        events.map(|event| event["params"].to_string()).collect()
    }

    /// How long it took to lay the page out, with the style.
    pub(crate) fn layout_seconds(&mut self) -> f64 {
        let metrics = self.call("Performance.getMetrics", &json!({}));
        let named = |name: &str| {
            let metrics = metrics["metrics"].as_array().into_iter().flatten();
            metrics.filter(|metric| metric["name"] == name).filter_map(|metric| metric["value"].as_f64()).sum::<f64>()
        };
        named("LayoutDuration") + named("RecalcStyleDuration")
    }
}
