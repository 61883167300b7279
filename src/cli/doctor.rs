//! `synapse-export doctor`: shows what was found, for people or as JSON.
//!
//! Finds nothing itself: see [`crate::doctor`].

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;

use super::database::DatabaseArgs;
use super::log::{harmless, visible};
use super::output::DataOutput;
use super::{CatalogArgs, Outcome};
use crate::doctor::{self, Examined, Severity};

/// Check database and archive: what is wrong, what will go wrong, and what to do about it
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    #[command(flatten)]
    database: DatabaseArgs,
    /// The archive's directory; without it, only the database is checked
    #[arg(long, value_name = "DIR", env = "SYNAPSE_EXPORT_ARCHIVE")]
    archive: Option<PathBuf>,
    #[command(flatten)]
    catalog: CatalogArgs,
    /// As JSON, for scripts
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Changes nothing, neither in the database nor in the archive, and asks nothing that would take long on a large server: it waits \
for no answer longer than 10 seconds, and a minute for all of them. \
The worst comes first.

Exit status: 0 all is fine, or cannot be told · 10 warnings · 11 errors · 2 wrong usage";

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let config = args.database.config()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let examined =
        runtime.block_on(doctor::examine(&config, args.archive.as_deref(), args.catalog.directory.as_deref()));
    // a name that is still looked up is not waited for
    runtime.shutdown_background();
    let mut out = DataOutput::stdout();
    if args.json {
        writeln!(out, "{}", harmless(&as_json(&examined)))?;
    } else {
        write_text(&mut out, &examined)?;
    }
    out.flush()?;
    Ok(match examined.worst() {
        Severity::Error => Outcome::Errors,
        Severity::Warning => Outcome::Warnings,
        Severity::Unknown | Severity::Fine => Outcome::Done,
    })
}

fn as_json(examined: &Examined) -> String {
    let findings = examined.findings.iter().map(|finding| {
        json!({
            "check": finding.check,
            "kind": finding.severity.name(),
            "what": finding.what,
            "remedy": finding.remedy,
        })
    });
    let estimate = examined.estimate.map(|it| json!({"events": it.events, "bytes": it.bytes, "seconds": it.seconds}));
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "worst": examined.worst().name(),
        "findings": findings.collect::<Vec<_>>(),
        "estimate": estimate,
    })
    .to_string()
}

fn write_text(out: &mut impl Write, examined: &Examined) -> std::io::Result<()> {
    for finding in &examined.findings {
        let kind = match finding.severity {
            Severity::Error => "ERROR",
            Severity::Warning => "WARNING",
            Severity::Unknown | Severity::Fine => finding.severity.name(),
        };
        writeln!(out, "{kind:<8} {}: {}", finding.check, visible(&finding.what))?;
        if let Some(remedy) = &finding.remedy {
            writeln!(out, "         → {}", visible(remedy))?;
        }
    }
    Ok(())
}
