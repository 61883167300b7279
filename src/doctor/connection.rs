//! The way to the database: reachable, encrypted, as a role that only reads; primary or replica.
//!
//! Asks the server of itself alone, and no table of Synapse's.

use super::finding::{Finding, answered, chain, n, named, span};
use crate::source::{self, Database, Login, Pooler, Standing};

/// From here on a replica counts as behind: what it lacks is for the next export, but its homeserver prunes and purges.
const LAG: i64 = 60 * 60 * 1000;
/// PostgreSQL's default, which is far longer than a page takes.
const PAGE_TIME: i64 = 30_000;

/// Says why there is no connection.
pub(super) fn unreachable(error: &source::Error) -> Finding {
    let cause = match error {
        source::Error::Connect { source, .. } => source.downcast_ref::<source::ServerError>(),
        source::Error::Query { source, .. } => Some(source),
        _ => None,
    };
    let hint = match cause {
        Some(cause) if cause.code().is_some() && error.is_transient() => "try again later",
        Some(cause) => cause.hint(),
        None => source::CHECK_THE_WAY,
    };
    Finding::error("connection", chain(error)).remedy(hint)
}

/// Checks the connection, the role and the server.
pub(super) async fn check(database: &Database, findings: &mut Vec<Finding>) -> Option<Login> {
    let login = answered("connection", database.login(), findings).await;
    if let Some(login) = &login {
        findings.push(Finding::fine("connection", format!("PostgreSQL {} answers", login.server_version)));
        findings.push(tls(login));
    }
    if let Some(found) = answered("pooler", database.pooler(), findings).await {
        findings.push(pooler(&found));
        if !found.lost_options.is_empty() {
            findings.push(lost(&found.lost_options));
        }
    }
    let writable = answered("role", database.writable(), findings).await;
    if let Some((login, writable)) = login.as_ref().zip(writable) {
        findings.push(role(login, &writable));
    }
    let standing = answered("replica", database.standing(), findings).await;
    if let Some(standing) = standing {
        findings.push(replica(standing));
        if let Standing::Replica(_) = standing {
            let names = ["max_standby_streaming_delay", "hot_standby_feedback"];
            if let Some(settings) = answered("standby settings", database.settings(&names), findings).await {
                let [delay, feedback] = names.map(|name| settings.get(name).map(String::as_str));
                findings.push(standby(delay.and_then(|delay| delay.parse().ok()), feedback));
            }
        }
    }
    if let Some(copying) = answered("initial copy", database.copying(), findings).await {
        findings.extend(self::copying(copying));
    }
    login
}

fn pooler(found: &Pooler) -> Finding {
    let check = "pooler";
    match found {
        Pooler { is_there: Some(false), .. } => Finding::fine(check, "none: PostgreSQL itself answers"),
        Pooler { is_there: None, .. } => Finding::unknown(check, "it does not show whether there is one"),
        Pooler { by_transaction: true, .. } => Finding::fine(
            check,
            "there is one, which gives out connections for a transaction only; nothing of ours stays on them, and what is not waited for any more is ended by closing them",
        ),
        Pooler { by_transaction: false, .. } => Finding::fine(
            check,
            "there is one, perhaps in the mode session; in the mode transaction, too, nothing of ours stays on its connections, and what is not waited for any more is ended by closing them",
        ),
    }
}

fn lost(options: &[String]) -> Finding {
    let what = format!("options asks for {}, which does not hold: the pooler leaves it out", options.join(", "));
    Finding::warning("options", what).remedy("set it for the role: ALTER ROLE ... SET; or connect to PostgreSQL itself")
}

fn tls(login: &Login) -> Finding {
    match &login.tls {
        Some((protocol, cipher)) => Finding::fine("tls", format!("in force: {protocol}, {cipher}")),
        None if login.is_local => Finding::fine("tls", "none, on a Unix socket"),
        None if login.is_loopback => Finding::fine("tls", "none, on this machine's own loopback"),
        None => Finding::warning("tls", "the connection is not encrypted: messages cross the network in clear")
            .remedy("set ssl = on in PostgreSQL, and connect with sslmode=verify-full and sslrootcert"),
    }
}

fn role(login: &Login, writable: &[String]) -> Finding {
    let remedy = "connect as a role that may do nothing but read: sql/reader_role.sql makes one";
    if login.is_superuser {
        Finding::warning("role", "the role is a superuser; nothing but this program keeps it from writing")
            .remedy(remedy)
    } else if writable.is_empty() {
        Finding::fine("role", "the role can write to none of Synapse's tables")
    } else {
        let what = format!(
            "the role can write to {} of Synapse's tables ({}); nothing but this program keeps it from doing so",
            n(writable.len() as u64),
            named(writable)
        );
        Finding::warning("role", what).remedy(remedy)
    }
}

fn replica(standing: Standing) -> Finding {
    match standing {
        Standing::Primary => Finding::fine(
            "replica",
            "this is the primary, to which the homeserver writes; a replica would spare it the reading",
        ),
        Standing::Replica(None) => {
            Finding::warning("replica", "this is a replica that cannot tell how far behind it is")
                .remedy("check that it is connected to its primary: select * from pg_stat_wal_receiver")
        }
        Standing::Subscriber(behind) => {
            let remedy = "check that its subscription is enabled and keeps up: select * from pg_stat_subscription, and PostgreSQL's log; what it lacks is exported once it has it";
            match behind.map(|behind| i64::try_from(behind.as_millis()).unwrap_or(i64::MAX)) {
                None => {
                    Finding::warning("replica", "this is a logical subscriber that cannot tell how far behind it is")
                        .remedy(remedy)
                }
                Some(behind @ ..LAG) => {
                    Finding::fine("replica", format!("this is a logical subscriber, {} behind", span(behind)))
                }
                Some(behind) => {
                    Finding::warning("replica", format!("this is a logical subscriber, {} behind", span(behind)))
                        .remedy(remedy)
                }
            }
        }
        Standing::Replica(Some(behind)) => {
            let behind = i64::try_from(behind.as_millis()).unwrap_or(i64::MAX);
            match behind {
                0 => Finding::fine("replica", "this is a replica that has all it has been sent"),
                ..LAG => Finding::fine("replica", format!("this is a replica, {} behind", span(behind))),
                _ => Finding::warning("replica", format!("this is a replica, {} behind", span(behind)))
                    .remedy("check that it is connected to its primary (select * from pg_stat_wal_receiver) and keeps up; what it lacks is exported once it has it"),
            }
        }
    }
}

/// `tables`: those that a logical subscriber has yet to copy; none: that cannot be told.
fn copying(tables: Option<Vec<String>>) -> Option<Finding> {
    let check = "initial copy";
    match tables {
        None => Some(
            Finding::unknown(
                check,
                "the role may not see whether this is a logical subscriber, and has all its tables",
            )
            .remedy("as a superuser, run: GRANT SELECT ON pg_subscription_rel, pg_stat_subscription TO the role"),
        ),
        Some(tables) if tables.is_empty() => None,
        Some(tables) => {
            let what = format!(
                "this is a logical subscriber that has yet to copy {}: exports end with status 75 until that is done",
                named(&tables)
            );
            Some(Finding::warning(check, what).remedy(
                "wait for it (select srrelid::regclass, srsubstate from pg_subscription_rel: r is ready); if it does not come to its end, see whether the subscription is enabled, and PostgreSQL's log",
            ))
        }
    }
}

/// `delay` is in milliseconds, -1: for ever.
fn standby(delay: Option<i64>, feedback: Option<&str>) -> Finding {
    let check = "standby settings";
    match (delay, feedback) {
        (_, Some("on")) => Finding::fine(check, "hot_standby_feedback is on: the primary keeps rows that are being read"),
        (Some(..0), _) => Finding::fine(check, "max_standby_streaming_delay is -1: the replica waits for what is being read"),
        (Some(PAGE_TIME..), _) => {
            let what = format!("the replica waits {} for what is being read; a page takes less", span(delay.unwrap_or_default()));
            Finding::fine(check, what)
        }
        (Some(delay), _) => Finding::warning(
            check,
            format!("max_standby_streaming_delay is {delay} ms and hot_standby_feedback is off: the replica may cancel what is being read"),
        )
        .remedy("on the replica, set max_standby_streaming_delay = 30s or more, or hot_standby_feedback = on"),
        (None, _) => Finding::unknown(check, "PostgreSQL does not show max_standby_streaming_delay"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::finding::Severity;
    use super::*;

    #[test]
    fn a_replica_that_is_far_behind_or_does_not_know_is_warned_of() {
        let minutes = |minutes: u64| Standing::Replica(Some(Duration::from_secs(60 * minutes)));
        for (standing, kind, said) in [
            (Standing::Primary, Severity::Fine, "primary"),
            (minutes(0), Severity::Fine, "all it has been sent"),
            (minutes(59), Severity::Fine, "59 minutes behind"),
            (minutes(60), Severity::Warning, "60 minutes behind"),
            (Standing::Replica(None), Severity::Warning, "cannot tell"),
            (Standing::Subscriber(None), Severity::Warning, "a logical subscriber that cannot tell"),
            (
                Standing::Subscriber(Some(Duration::from_secs(3))),
                Severity::Fine,
                "a logical subscriber, 3 seconds behind",
            ),
            (
                Standing::Subscriber(Some(Duration::from_secs(7200))),
                Severity::Warning,
                "a logical subscriber, 2 hours behind",
            ),
        ] {
            let finding = replica(standing);
            assert_eq!(finding.severity, kind, "{finding:?}");
            assert!(finding.what.contains(said), "{finding:?}");
        }
    }

    #[test]
    fn a_replica_that_cancels_early_is_warned_of() {
        for (delay, feedback, kind) in [
            (Some(30_000), Some("off"), Severity::Fine),
            (Some(-1), Some("off"), Severity::Fine),
            (Some(0), Some("on"), Severity::Fine),
            (None, Some("on"), Severity::Fine),
            (Some(0), Some("off"), Severity::Warning),
            (Some(29_999), None, Severity::Warning),
            (None, Some("off"), Severity::Unknown),
            (None, None, Severity::Unknown),
        ] {
            assert_eq!(standby(delay, feedback).severity, kind, "{delay:?} {feedback:?}");
        }
    }

    #[test]
    fn a_pooler_is_told_as_far_as_it_shows() {
        let found = |is_there, by_transaction| Pooler { is_there, by_transaction, lost_options: Vec::new() };
        for (found, kind, said) in [
            (found(Some(false), false), Severity::Fine, "none"),
            (found(None, false), Severity::Unknown, "does not show"),
            (found(Some(true), true), Severity::Fine, "for a transaction only"),
            (found(Some(true), false), Severity::Fine, "perhaps in the mode session"),
        ] {
            let finding = pooler(&found);
            assert!(finding.severity == kind && finding.what.contains(said), "{finding:?}");
        }
        let finding = lost(&["statement_timeout".to_owned()]);
        assert!(finding.severity == Severity::Warning && finding.what.contains("statement_timeout"), "{finding:?}");
    }

    #[test]
    fn only_what_stays_on_this_machine_needs_no_encryption() {
        let login = |is_local, tls: Option<&str>| Login {
            is_loopback: false,
            server_version: "15".to_owned(),
            now: 0,
            is_superuser: false,
            is_local,
            tls: tls.map(|protocol| (protocol.to_owned(), "a cipher".to_owned())),
        };
        assert_eq!(tls(&login(true, None)).severity, Severity::Fine);
        assert_eq!(tls(&login(false, None)).severity, Severity::Warning);
        assert_eq!(tls(&Login { is_loopback: true, ..login(false, None) }).severity, Severity::Fine);
        let finding = tls(&login(false, Some("TLSv1.3")));
        assert_eq!((finding.severity, &*finding.what), (Severity::Fine, "in force: TLSv1.3, a cipher"));
        assert_eq!(role(&login(true, None), &[]).severity, Severity::Fine);
        let finding = role(&login(true, None), &["events".to_owned()]);
        assert!(finding.severity == Severity::Warning && finding.what.contains("(events)"), "{finding:?}");
    }
}
