//! `--metrics-file`: what a run has come to, in Prometheus' text format, for the textfile collector of `node_exporter`.
//!
//! A file that is replaced as a whole, which all may read; listens nowhere, and tells numbers only.

use std::fmt::Write as _;
use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};

use crate::archive::Figures;
use crate::source::Database;

/// What is told beside what the catalog knows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RunMetrics {
    /// How long the last run, or round, has taken.
    pub(super) took: Duration,
    /// How far a replica is behind.
    pub(super) lag: Option<Duration>,
    /// When Synapse prunes the next original of a redacted event, as far as that can be told; milliseconds since the epoch.
    pub(super) next_loss: Option<i64>,
}

/// How far the replica that is read is behind, if it is one and can tell.
pub(super) async fn lag(database: &Database) -> Option<Duration> {
    database.standing().await.ok().and_then(|standing| standing.behind().flatten())
}

/// Writes them, as of now, for an archive as the user calls it.
pub(super) fn write(path: &Path, archive: &str, figures: &Figures, told: &RunMetrics) -> Result<()> {
    let cannot = || format!("cannot write {} (--metrics-file)", path.display());
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let text = text(archive, figures, told, now);
    let write = || {
        let mut builder = tempfile::Builder::new();
        // the collector reads it as another user
        let builder = builder.prefix(".synapse-export.").permissions(Permissions::from_mode(0o644));
        let mut file = builder.tempfile_in(directory)?;
        file.write_all(text.as_bytes())?;
        // whatever the umask says
        file.as_file().set_permissions(Permissions::from_mode(0o644))?;
        file.persist(path).map_err(|error| error.error)?;
        Ok::<_, std::io::Error>(())
    };
    write().with_context(cannot)
}

fn text(archive: &str, figures: &Figures, told: &RunMetrics, now: Duration) -> String {
    let archive = archive.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    let mut text = String::new();
    let mut one = |name: &str, help: &str, values: &[(&str, Option<String>)]| {
        if values.iter().all(|(_, value)| value.is_none()) {
            return;
        }
        let _ = writeln!(text, "# HELP synapse_export_{name} {help}\n# TYPE synapse_export_{name} gauge");
        for (labels, value) in values {
            if let Some(value) = value {
                let _ = writeln!(text, "synapse_export_{name}{{archive=\"{archive}\"{labels}}} {value}");
            }
        }
    };
    let seconds = |milliseconds: i64| {
        let (whole, part) = (milliseconds.div_euclid(1000), milliseconds.rem_euclid(1000));
        format!("{whole}.{part:03}")
    };
    let some = |number: u64| [("", Some(number.to_string()))];
    let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    let of = |milliseconds: i64| [("", Some(seconds(milliseconds)))];
    one("last_success_timestamp_seconds", "When a run, or a round, last came to its end.", &of(now));
    let took = format!("{:.3}", told.took.as_secs_f64());
    one("last_run_duration_seconds", "How long that took.", &[("", Some(took))]);
    let [live, backfill] = figures.watermarks.map(|position| position.map(|position| position.to_string()));
    let watermarks = [(",stream=\"live\"", live), (",stream=\"backfill\"", backfill)];
    one("watermark", "Up to which position a stream is archived.", &watermarks);
    let newest = [("", figures.newest.map(seconds))];
    one("newest_event_timestamp_seconds", "When the server received the newest archived event.", &newest);
    one("new_events", "Events that the last run has archived.", &some(figures.new_events));
    one("late_events", "Events of the last run that came after their neighbours.", &some(figures.late));
    one("damaged_rows", "Events of the last run whose line holds no PDU.", &some(figures.damaged));
    one("duplicate_events", "Events of which the last run met several rows.", &some(figures.duplicates));
    one("open_gaps", "Ranges of ids that may still appear.", &some(figures.gaps));
    one("pending_transcripts", "Transcripts that are not as the lines are.", &some(figures.stale));
    let undecryptable = [("", figures.undecryptable.map(|number| number.to_string()))];
    one("undecryptable_events", "Encrypted events that cannot be read.", &undecryptable);
    let missing = [("", figures.missing_media.map(|number| number.to_string()))];
    one("missing_media", "Files that events name and the archive lacks.", &missing);
    one("archive_bytes", "The lines, in bytes.", &some(figures.bytes));
    one("catalog_bytes", "The catalog, in bytes.", &some(figures.catalog_bytes));
    let lag = told.lag.map(|lag| format!("{:.3}", lag.as_secs_f64()));
    one("replica_lag_seconds", "How far the replica that is read is behind.", &[("", lag)]);
    let loss = [("", told.next_loss.map(seconds))];
    one("next_loss_timestamp_seconds", "When Synapse prunes the next original of a redacted event.", &loss);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_written_as_prometheus_reads_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("archive.prom");
        let figures = Figures {
            watermarks: [Some(12), None],
            newest: Some(1_795_348_800_001),
            new_events: 3,
            ..Figures::default()
        };
        let told = RunMetrics { took: Duration::from_millis(1500), lag: None, next_loss: Some(1_795_349_000_250) };
        write(&path, "a\"b\\c\nd", &figures, &told).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let label = r#"{archive="a\"b\\c\nd""#;
        for line in [
            format!("synapse_export_watermark{label},stream=\"live\"}} 12"),
            format!("synapse_export_newest_event_timestamp_seconds{label}}} 1795348800.001"),
            format!("synapse_export_last_run_duration_seconds{label}}} 1.500"),
            format!("synapse_export_next_loss_timestamp_seconds{label}}} 1795349000.250"),
        ] {
            assert!(text.lines().any(|found| found == line), "no {line}: {text}");
        }
        for unknown in ["backfill", "replica_lag", "undecryptable"] {
            assert!(!text.contains(unknown), "{text}");
        }
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
