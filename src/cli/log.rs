//! What is said beside the data: on stderr, as lines for people or as one JSON object on each line. The only code that
//! writes there.
//!
//! All layers say it with `tracing`, and nothing is said where this is not set up, as in tests of the library. They tell of
//! statements, ids and numbers, and never quote content or credentials; what other crates say is not heard, as they might.

use std::fmt::{Debug, Write as _};
use std::io::{IsTerminal as _, Write as _};
use std::sync::{LazyLock, OnceLock};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber, span};

/// How much is said, and how.
#[derive(clap::Args)]
pub(super) struct Args {
    /// What is said on stderr: as text, or as a JSON object on each line
    #[arg(long, global = true, value_name = "FORMAT", env = "SYNAPSE_EXPORT_LOG_FORMAT", default_value = "text")]
    log_format: LogFormat,
    /// How much of it: error, warn, info, or debug, which tells each statement and commit
    #[arg(long, global = true, value_name = "LEVEL", env = "SYNAPSE_EXPORT_LOG_LEVEL", default_value = "info", value_parser = level)]
    log_level: Level,
    /// Say nothing but warnings and errors, whatever the log level
    #[arg(long, short, global = true)]
    quiet: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

fn level(name: &str) -> Result<Level, String> {
    let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG];
    levels.into_iter().find(|level| self::name(*level) == name).ok_or_else(|| "error, warn, info or debug".to_owned())
}

fn name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        _ => "debug",
    }
}

static FORMAT: OnceLock<LogFormat> = OnceLock::new();
/// What is drawn on a terminal, below all lines.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Sets up what is said from here on.
pub(super) fn set_up(args: &Args) {
    let format = *FORMAT.get_or_init(|| args.log_format);
    let most = if args.quiet { args.log_level.min(Level::WARN) } else { args.log_level };
    // it fails when it was set up before
    let _ = tracing::subscriber::set_global_default(LineLog { format, most });
}

/// Whether a person reads it, rather than a program.
pub(super) fn is_for_people() -> bool {
    FORMAT.get() != Some(&LogFormat::Json)
}

/// A bar, where somebody looks at one.
pub(super) fn bar(bar: ProgressBar, template: &str) -> Option<ProgressBar> {
    let wanted = is_for_people() && tracing::enabled!(Level::INFO) && std::io::stderr().is_terminal();
    wanted.then(|| match ProgressStyle::with_template(template) {
        Ok(style) => BARS.add(bar.with_style(style)),
        Err(_) => BARS.add(bar),
    })
}

/// Writes what is said line by line.
struct LineLog {
    format: LogFormat,
    most: Level,
}

impl Subscriber for LineLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.most && metadata.target().starts_with(env!("CARGO_CRATE_NAME"))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.most.into())
    }

    fn event(&self, event: &Event<'_>) {
        let mut said = LogRecord::default();
        event.record(&mut said);
        let level = *event.metadata().level();
        let line = match self.format {
            LogFormat::Text => said.text(level),
            LogFormat::Json => said.json(level),
        };
        // with nobody at the other end there is nobody to tell
        BARS.suspend(|| drop(writeln!(std::io::stderr(), "{line}")));
    }

    // nothing is said of spans
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// How a message of ours goes on in another line. Any other line break is somebody else's, and begins none.
const CONTINUED: &str = "\n  ";

/// A message and its fields.
#[derive(Default)]
struct LogRecord {
    message: String,
    fields: Vec<(&'static str, Value)>,
}

impl LogRecord {
    /// For people the message says all, but for what happens all the time.
    fn text(&self, level: Level) -> String {
        let message: Vec<String> = self.message.split(CONTINUED).map(visible).collect();
        let message = message.join(CONTINUED);
        match level {
            Level::ERROR => format!("synapse-export: {message}"),
            Level::WARN => format!("warning: {message}"),
            Level::INFO => message,
            _ => self.fields.iter().fold(message, |mut line, (name, value)| {
                let _ = write!(line, " {name}={}", harmless(&value.to_string()));
                line
            }),
        }
    }

    fn json(&self, level: Level) -> String {
        let time = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let lines: Vec<&str> = self.message.split(CONTINUED).collect();
        let message = Value::from(lines.join("; "));
        let mut line = format!(r#"{{"time":"{time}","level":"{}","message":{message}"#, name(level));
        for (name, value) in &self.fields {
            let _ = write!(line, r#","{name}":{value}"#);
        }
        harmless(&line) + "}"
    }
}

impl Visit for LogRecord {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            name => self.fields.push((name, value.into())),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.push((field.name(), value.into()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.push((field.name(), value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.push((field.name(), value.into()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // milliseconds are fine enough, and a part of a thousandth
        self.fields.push((field.name(), ((value * 1e3).round() / 1e3).into()));
    }
}

/// Text as a terminal may see it: control and direction characters are escaped. Quotes stay as they are, since remedies are
/// there to be copied.
pub(super) fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\'' | '\\' => visible.push(c),
            _ => visible.extend(c.escape_debug()),
        }
    }
    visible
}

/// Text of people as a terminal may see it: what controls it or turns the direction of writing is escaped; signs that belong to
/// letters stay.
pub(super) fn readable(text: &str) -> String {
    let mut readable = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{200c}' | '\u{200d}' | '\u{200e}' | '\u{200f}' => readable.push(c),
            '\u{202a}'..='\u{202e}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{61c}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e001f}' => readable.extend(c.escape_unicode()),
            c if c.is_control() => readable.extend(c.escape_default()),
            c => readable.push(c),
        }
    }
    readable
}

/// Shows people a text with a part of it marked, in bytes.
pub(super) fn mark(text: &str, part: &std::ops::Range<usize>) {
    if !is_for_people() {
        return;
    }
    let width = |text: &str| console::measure_text_width(&readable(text));
    let (start, end) = (part.start.min(text.len()), part.end.min(text.len()));
    let (before, marked) = (width(&text[..start]), text.get(start..end).map_or(1, width).max(1));
    let line = format!("  {}\n  {}{}", readable(text), " ".repeat(before), "^".repeat(marked));
    BARS.suspend(|| drop(writeln!(std::io::stderr(), "{line}")));
}

/// A JSON text whose strings show a terminal nothing that would change how it writes.
pub(super) fn harmless(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        // what Rust escapes by number is a control, a direction, or no character at all
        if c.escape_debug().nth(1) == Some('u') {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(c);
        }
    }
    text
}
