//! How PostgreSQL runs the statements of `sql/`: by the indexes that their first lines name, whatever it knows of the
//! tables, so that a page costs the same on a server of any size.

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use synapse_export::config::Config;
use synapse_export::source;
use tokio::runtime::Runtime;
use tokio_postgres::types::ToSql;

use support::archive::entries;
use support::story::ROOM;
use support::{Database, Shape, cluster};

/// The statements that read nothing that grows with the server, or only one row of it, and those that are none.
const NO_INDEX: [&str; 18] = [
    "background_updates",
    "collation",
    "json_pages",
    "json_places",
    "columns",
    "indexes",
    "log_position",
    "login",
    "opening",
    "option",
    "role",
    "schema_version",
    "server_name_by_membership",
    "settings",
    "sizes",
    "standing",
    "subscribed",
    "writable",
];

/// The statements that are run without looking up rejections and versions where these are known.
const KNOWING: [&str; 3] = ["page_live", "page_backfill", "room_order"];

/// The tables that may be huge.
const TABLES: [&str; 18] = [
    "server_keys_json",
    "server_signature_keys",
    "erased_users",
    "events",
    "event_json",
    "ex_outlier_stream",
    "rejections",
    "redactions",
    "rooms",
    "room_aliases",
    "users",
    "current_state_events",
    "room_memberships",
    "local_current_membership",
    "room_retention",
    "scheduled_tasks",
    "room_ban_redactions",
    "un_partial_stated_event_stream",
];

/// Rows enough for every kind of plan to look cheaper than it is on a large server.
const FILL: &str = "
    insert into events (stream_ordering, topological_ordering, depth, event_id, type, room_id, processed, outlier,
                        origin_server_ts, received_ts, sender, contains_url, instance_name, state_key)
    select i, abs(i), abs(i), '$' || i, 'm.room.message', case when i % 50 = 0 then '!room:here.test' else '!other:here.test' end,
           true, i % 10 = 0, 1795348800000 + i, 1795348800000 + i, '@alice:here.test', false, 'master', null
      from generate_series(-2000, 4000) i where i <> 0;
    insert into event_json (event_id, room_id, internal_metadata, json, format_version)
    select event_id, room_id, '{}', '{\"content\":{\"body\":\"' || repeat('x', 200) || '\"}}', 3 from events;
    insert into ex_outlier_stream (event_stream_ordering, event_id, state_group)
    select i * 10 + 1, '$' || i * 10, 1 from generate_series(-50, 50) i where i <> 0;
    insert into server_signature_keys (server_name, key_id)
         select i || '.test', 'ed25519:' || k from generate_series(1, 2500) i, generate_series(1, 2) k;
    insert into server_keys_json (server_name, key_id, from_server, ts_added_ms, ts_valid_until_ms, key_json)
         select i || '.test', 'ed25519:' || k, i || '.test', 1, 1, '{}' from generate_series(1, 2500) i, generate_series(1, 2) k;
    insert into erased_users (user_id) select '@' || i || ':here.test' from generate_series(1, 5000) i;
    insert into rejections (event_id, reason, last_check) select '$' || i, '', '' from generate_series(1, 100) i;
    insert into redactions (event_id, redacts) select '$' || i, '$' || i - 1 from generate_series(200, 300) i;
    insert into rooms (room_id, room_version) select '!' || i || ':here.test', '10' from generate_series(1, 500) i;
    insert into room_aliases (room_alias, room_id) select '#' || i || ':here.test', '!' || i from generate_series(1, 500) i;
    insert into users (name) select '@' || i || ':here.test' from generate_series(1, 500) i;
    insert into current_state_events (event_id, room_id, type, state_key, membership)
    select '$' || i, case when i % 50 = 0 then '!room:here.test' else '!other:here.test' end, 'm.room.member',
           '@' || i || ':here.test', 'join'
      from generate_series(1, 2000) i;
    insert into current_state_events (event_id, room_id, type, state_key)
    select '$s' || i, '!' || i || ':here.test', 'm.room.name', '' from generate_series(1, 500) i;
    insert into room_memberships (event_id, user_id, sender, room_id, membership)
    select event_id, state_key, state_key, room_id, 'join' from current_state_events where type = 'm.room.member';
    insert into local_current_membership (room_id, user_id, event_id, membership)
    select room_id, user_id, event_id, membership from room_memberships;
    insert into room_retention (room_id, event_id, max_lifetime) select '!' || i, '$' || i, i from generate_series(1, 500) i;";

/// The same for the tables that not all have.
const FILL_BANS: &str = "
    insert into room_ban_redactions (room_id, user_id, redacting_event_id)
    select '!' || i % 50 || ':here.test', '@' || i || ':here.test', '$' || i from generate_series(1, 2000) i";
const FILL_REJUDGED: &str = "
    insert into un_partial_stated_event_stream (stream_id, instance_name, event_id, rejection_status_changed)
    select i, 'master', '$' || i, i % 100 = 0 from generate_series(1, 2000) i";

#[test]
fn every_statement_uses_the_indexes_it_names() {
    let mut faults = Vec::new();
    for shape in [Shape::V1_60, Shape::V1_90, Shape::V1_163] {
        let states: [(&str, &[&str]); 4] = [
            ("empty, never analysed", &[]),
            ("filled, never analysed", &[FILL]),
            ("filled, analysed", &[FILL, "analyze"]),
            ("filled since it was analysed", &["analyze", FILL]),
        ];
        for (state, statements) in states {
            let database = cluster().database("plans", shape);
            for sql in statements {
                database.execute(sql);
                if *sql == FILL && shape == Shape::V1_163 {
                    database.execute(FILL_BANS);
                }
                if *sql == FILL && shape != Shape::V1_60 {
                    database.execute(FILL_REJUDGED);
                }
            }
            faults.extend(self::faults(&database, shape, state));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn what_is_known_of_files_is_found_by_their_ids() {
    let fill = "insert into local_media_repository (media_id) select 'id' || i from generate_series(1, 4000) i;
                insert into remote_media_cache (media_origin, media_id) select i % 7 || '.test', 'id' || i from generate_series(1, 4000) i";
    let mut faults = Vec::new();
    for shape in [Shape::V1_60, Shape::V1_163] {
        for statements in [&[][..], &[fill], &[fill, "analyze"], &["analyze", fill]] {
            let database = cluster().database("media_plans", shape);
            for sql in statements {
                database.execute(sql);
            }
            let config = Config::new(Some(&database.dsn()), |_| None).expect("a test's DSN is sound");
            let runtime = Runtime::new().expect("cannot start a runtime");
            let source = runtime.block_on(source::Database::connect(&config)).expect("cannot connect");
            let (servers, ids) = (vec!["1.test", "2.test"], vec!["id1", "id2"]);
            for (name, parameters, index) in [
                ("media/local", vec![&ids as &(dyn ToSql + Sync)], "local_media_repository_media_id_key"),
                (
                    "media/remote",
                    vec![&servers as &(dyn ToSql + Sync), &ids],
                    "remote_media_cache_media_origin_media_id_key",
                ),
            ] {
                let plan = runtime.block_on(source.explain(name, false, &parameters)).expect("it can be explained");
                let plan = plan.expect("the code knows it");
                if !plan.contains(&format!(" using {index} on ")) || plan.contains("Seq Scan") {
                    faults.push(format!("{name}; {shape:?}, {statements:?}:\n{plan}"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// What is wrong with the plans that a database has for the statements.
fn faults(database: &Database, shape: Shape, state: &str) -> Vec<String> {
    let config = Config::new(Some(&database.dsn()), |_| None).expect("a test's DSN is sound");
    let runtime = Runtime::new().expect("cannot start a runtime");
    let source = runtime.block_on(source::Database::connect(&config)).expect("cannot connect");
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    let text = |file: &str| std::fs::read_to_string(directory.join(file)).expect("a statement can be read");
    let stored = indexes(&text("stored.sql"), shape);
    let mut faults = Vec::new();
    for file in entries(&directory) {
        let name = file.strip_suffix(".sql").unwrap_or(&file);
        let is_missing = match name {
            "purge_tasks" | "un_partial_stated" | "un_partial_stated_head" => shape == Shape::V1_60,
            "ban_redactions" => shape != Shape::V1_163,
            _ => false,
        };
        // older PostgreSQL has no such function
        if name == "stored"
            || name == "keys"
            || name == "media"
            || name.starts_with("reader_role")
            || name == "output_role"
            || name == "collation_now"
            || is_missing
        {
            continue;
        }
        let sql = text(&file);
        let mut named = indexes(&sql, shape);
        assert_eq!(named.is_empty(), NO_INDEX.contains(&name), "{name} names no index");
        let is_page = sql.contains("as deoutliered");
        if is_page {
            named.extend(stored.iter().cloned());
        }
        if name == "by_place" {
            named.remove("event_json_event_id_key");
        }
        let ways: &[bool] = if KNOWING.contains(&name) { &[false, true] } else { &[false] };
        let parameters = parameters(name);
        for (&knowing, parameters) in ways.iter().flat_map(|knowing| parameters.iter().map(move |it| (knowing, it))) {
            let parameters: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|parameter| &**parameter).collect();
            let plan = runtime.block_on(source.explain(name, knowing, &parameters)).expect("it can be explained");
            let plan = plan.unwrap_or_else(|| panic!("the code does not know the statement {name}"));
            let mut fault = |what: &str| faults.push(format!("{name} {what}; {shape:?}, {state}:\n{plan}"));
            if is_page && sorts_above_the_json(&plan) {
                fault("sorts its widest rows");
            }
            // a room's version is looked up once for a page of it all the same
            let known = |index: &str| {
                knowing && (index == "rejections_event_id_key" || index == "rooms_pkey" && name != "room_order")
            };
            for index in &named {
                if known(index) {
                    if plan.contains(&format!(" using {index} on ")) {
                        fault(&format!("looks up by {index} what is known"));
                    }
                    continue;
                }
                // Whether a room has events at all either index tells with one look, all of them either finds, and in an
                // empty one they are alike.
                let whole = ["room", "room_past_state", "rooms_past_state", "rooms_counts"].contains(&name);
                let alike = whole || state.starts_with("empty");
                let other = if alike && index == "events_room_stream" { "events_order_room" } else { index };
                if ![index, other].iter().any(|index| plan.contains(&format!(" using {index} on "))) {
                    fault(&format!("does not use {index}"));
                }
            }
            for table in TABLES {
                if plan.contains(&format!("Seq Scan on {table} ")) {
                    fault(&format!("reads all of {table}"));
                }
            }
            if name == "rooms" && plan.contains("events_jump_to_date_idx") {
                fault("sorts a room to find its ends");
            }
            if plan.contains("current_state_events_member_index") {
                fault("reads the members of all rooms");
            }
            if !state.starts_with("empty")
                && (name.starts_with("room") || name == "redacted_by")
                && reads_whole_index(&plan)
            {
                fault("reads all of an index");
            }
            let goes_by_index = plan.contains(" using ") || !plan.contains("Tid Scan on event_json");
            if name == "json_places" && goes_by_index {
                fault("does not go by the places of rows");
            }
            if name == "by_place"
                && (!plan.contains("Tid Scan on event_json") || plan.contains("event_json_event_id_key"))
            {
                fault("does not go by the places of rows");
            }
            if name != "json_places" && plan.contains("hashed SubPlan") {
                fault("reads all of a table for a few rows");
            }
            if plan.contains("Bitmap") {
                fault("gathers before it gives its first row");
            }
            if plan.lines().any(|line| line.trim_start().starts_with("Filter:") && line.contains("stream_ordering")) {
                fault("reads ids that nobody asked for");
            }
        }
    }
    faults
}

/// The indexes that the first lines of a statement name, as `shape` calls them.
fn indexes(sql: &str, shape: Shape) -> BTreeSet<String> {
    let comment: Vec<&str> = sql.lines().map_while(|line| line.strip_prefix("--")).map(str::trim).collect();
    let comment = comment.join(" ");
    let Some((_, named)) = comment.split_once("index ") else { return BTreeSet::new() };
    let named = named.split(", ").map(|index| match index.split_once(" (") {
        Some((_, before)) if shape == Shape::V1_60 => before.split(' ').next().unwrap_or(before).to_owned(),
        Some((since, _)) => since.to_owned(),
        None => index.to_owned(),
    });
    named.collect()
}

/// The parameters to explain a statement with: from the first page to the last.
#[allow(clippy::too_many_lines, reason = "a line or two for each statement")]
fn parameters(name: &str) -> Vec<Vec<Box<dyn ToSql + Sync>>> {
    let room = || -> Box<dyn ToSql + Sync> { Box::new(ROOM) };
    let rooms = || -> Box<dyn ToSql + Sync> { Box::new(vec![ROOM, "!7:here.test", "!none:here.test"]) };
    let all = || -> Vec<Box<dyn ToSql + Sync>> { vec![Box::new("here.test"), Box::new(vec!["!left_out:here.test"])] };
    let page =
        |ends: [(i64, i64); 3], room: Option<fn() -> Box<dyn ToSql + Sync>>| -> Vec<Vec<Box<dyn ToSql + Sync>>> {
            let parameters = ends.into_iter().map(|(after, through)| {
                let mut parameters = all();
                parameters.extend([
                    Box::new(after) as Box<dyn ToSql + Sync>,
                    Box::new(through) as Box<dyn ToSql + Sync>,
                    Box::new(5_000_i64) as Box<dyn ToSql + Sync>,
                ]);
                parameters.extend(room.map(|room| room()));
                parameters
            });
            parameters.collect()
        };
    let probe = || {
        let mut parameters = all();
        for bounds in [[7_i64, -1000], [1_000, 0]] {
            parameters.push(Box::new(bounds.to_vec()));
        }
        parameters.push(Box::new(5_000_i64));
        parameters
    };
    let upward = [(-1, 4_000), (1_000, 4_000), (3_990, 4_000)];
    let downward = [(0, -2_000), (-1_000, -2_000), (-1_990, -2_000)];
    match name {
        "page_live" => page(upward, None),
        "page_backfill" => page(downward, None),
        "room_page_live" => page(upward, Some(|| Box::new(ROOM))),
        "room_page_backfill" => page(downward, Some(|| Box::new(ROOM))),
        "probe" => vec![probe()],
        "deoutliered" => [vec![], vec![ROOM, "!other:here.test"]]
            .into_iter()
            .flat_map(|rooms| {
                upward.into_iter().chain([(-2_001, -1)]).map(move |ids| {
                    let parameters = page([ids; 3], None).remove(0);
                    let rooms: Box<dyn ToSql + Sync> = Box::new(rooms.clone());
                    parameters.into_iter().chain([rooms]).collect()
                })
            })
            .collect(),
        "room_probe" => vec![probe().into_iter().chain([room()]).collect()],
        "room_order" => {
            let none = || -> Box<dyn ToSql + Sync> { Box::new(None::<i64>) };
            let mut parameters = all();
            parameters.extend([room(), Box::new(7_i64), Box::new(7_i64), Box::new(5_000_i64), none(), none()]);
            parameters.extend([Box::new(9_i64) as Box<dyn ToSql + Sync>, Box::new(9_i64)]);
            vec![parameters]
        }
        "room_stretch" => vec![vec![room(), Box::new(7_i64), Box::new(7_i64), Box::new(5_000_i64)]],
        "room_state" | "room_past_state" => {
            let text = |text: &'static str| -> Box<dyn ToSql + Sync> { Box::new(text) };
            let after = [("", ""), ("m.room.member", "@100:here.test")];
            let after = after.map(|(kind, key)| {
                let mut parameters = all();
                parameters.extend([room(), text(kind), text(key), Box::new(5_000_i64)]);
                parameters
            });
            after.into()
        }
        "by_id" | "redacted_by" => {
            let ids: Box<dyn ToSql + Sync> = Box::new(vec!["$200", "$250", "$7"]);
            vec![all().into_iter().chain([ids]).collect()]
        }
        "ban_redactions" => [("", ""), (ROOM, "@20:here.test")]
            .map(|(room_id, user_id)| -> Vec<Box<dyn ToSql + Sync>> {
                vec![Box::new(room_id), Box::new(user_id), Box::new(1_000_i64)]
            })
            .into(),
        "un_partial_stated" => {
            vec![vec![Box::new(0_i64), Box::new(1_000_i64)], vec![Box::new(1_900_i64), Box::new(1_000_i64)]]
        }
        "rooms" => ["", "!20:here.test"]
            .map(|after| -> Vec<Box<dyn ToSql + Sync>> { vec![Box::new(after), Box::new(200_i64)] })
            .into(),
        "rooms_state" | "rooms_past_state" => {
            vec![vec![rooms(), Box::new(vec!["m.room.name", "m.room.create", "m.room.encryption"])]]
        }
        "rooms_people" | "rooms_past_people" => vec![vec![rooms(), Box::new(5_i64)]],
        "server_keys" | "server_key_answers" => vec![vec![Box::new(vec!["7.test", "nowhere.test"])]],
        "erased_after" => vec![vec![Box::new("@4:here.test"), Box::new(1_000_i64)]],
        "erased" => vec![vec![Box::new(vec!["@7:here.test", "@nobody:here.test"])]],
        "rooms_invites" | "rooms_counts" | "power_levels" => vec![vec![rooms()]],
        "anchor" => vec![vec![Box::new(7_i64)], vec![Box::new(-7_i64)]],
        "newest_below" => {
            vec![vec![Box::new(3_000_i64), Box::new(2_900_i64), Box::new(-1_900_i64), Box::new(1_000_i64)]]
        }
        "unplaced" => [vec![], vec![ROOM, "!other:here.test"]]
            .map(|rooms| -> Vec<Box<dyn ToSql + Sync>> {
                vec![Box::new(rooms), Box::new(vec!["!left_out:here.test"]), Box::new(20_i64)]
            })
            .into(),
        "places" => vec![vec![Box::new(vec![7_i64, -7, 3_000])]],
        "alias" => vec![vec![Box::new("#7:here.test")]],
        "rooms_of_member" => vec![vec![Box::new("@7:here.test")]],
        "opening" => vec![vec![Box::new(vec!["lock_timeout"])]],
        "option" => vec![vec![Box::new("jit"), Box::new("off")]],
        "settings" | "indexes" | "subscribed" => vec![vec![Box::new(vec!["events", "rooms"])]],
        "rejections" | "versions" | "duplicates" | "duplicates_of_state" => vec![vec![Box::new(5_000_i64)]],
        "redactions_pending" => vec![vec![Box::new(i64::MIN), Box::new(10_001_i64)]],
        "json_places" => vec![vec![Box::new(0_i64), Box::new(128_i64), Box::new(vec!["$200", "$250"])]],
        "by_place" => {
            let ids: Box<dyn ToSql + Sync> = Box::new(vec!["$200", "$250"]);
            let places: Box<dyn ToSql + Sync> = Box::new(vec!["(0,1)", "(7,3)"]);
            vec![all().into_iter().chain([ids, places]).collect()]
        }
        "redactions_censored" | "retention" | "purge_tasks" => vec![vec![Box::new(1_000_i64)]],
        "survivors" => vec![vec![Box::new("here.test"), Box::new(10_000_i64)]],
        "room" | "has_state" => vec![vec![room()]],
        _ => vec![vec![]],
    }
}

/// Whether a plan has a scan of an index without a condition.
fn reads_whole_index(plan: &str) -> bool {
    let mut nodes = plan.split("->");
    nodes.any(|node| node.contains(" using ") && !node.contains("Index Cond:"))
}

/// Whether a plan sorts rows that have their JSON: a page of them is large.
fn sorts_above_the_json(plan: &str) -> bool {
    let depth = |line: &str| line.find("->").map_or(0, |arrow| arrow + 1);
    let nodes: Vec<&str> = plan.lines().filter(|line| line.contains("  (cost=")).collect();
    nodes.iter().enumerate().any(|(at, node)| {
        let below = nodes[at + 1..].iter().take_while(|other| depth(other) > depth(node));
        node.contains("Sort") && below.into_iter().any(|other| other.contains("event_json"))
    })
}
