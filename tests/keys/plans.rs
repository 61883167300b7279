//! How PostgreSQL runs the statements of `sql/keys/`: by the indexes that their first lines name.

use std::path::Path;

use synapse_export::config::Config;
use synapse_export::source::Database as Source;
use tokio::runtime::Runtime;
use tokio_postgres::types::ToSql;

use super::support::archive::entries;
use super::{Shape, cluster};

const FILL: &str = "
    insert into users (name, appservice_id) select '@' || i || ':here.test', case when i % 50 = 0 then 'bridge' end from generate_series(1, 2000) i;
    insert into e2e_room_keys (user_id, room_id, session_id, version, session_data)
    select '@' || i % 7 || ':here.test', '!' || i % 11, i::text, i % 3, '{}' from generate_series(1, 4000) i;
    insert into e2e_room_keys_versions (user_id, version, algorithm, auth_data)
    select '@' || i || ':here.test', 1, '', '{}' from generate_series(1, 1000) i;
    insert into account_data (user_id, account_data_type, stream_id, content)
    select '@' || i % 500 || ':here.test', 'm.type' || i, i, '{}' from generate_series(1, 4000) i;
    insert into e2e_device_keys_json (user_id, device_id, ts_added_ms, key_json)
    select '@' || i % 1500 || ':here.test', i::text, 0, '{}' from generate_series(1, 4000) i;
    insert into device_lists_remote_cache (user_id, device_id, content)
    select '@' || i % 1500 || ':there.test', i::text, '{}' from generate_series(1, 4000) i;
    insert into crypto_megolm_inbound_session (account_id, session_id, sender_key, room_id)
    select i % 3, repeat('a', 38) || lpad(i::text, 5, '0'), 'k', '!' || i % 11 from generate_series(1, 4000) i;";

#[test]
fn every_statement_uses_the_indexes_it_names() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/keys");
    let mut faults = Vec::new();
    for (state, statements) in [("empty", &[][..]), ("filled", &[FILL][..]), ("analysed", &[FILL, "analyze"][..])] {
        let database = cluster().database("key_plans", Shape::V1_163);
        database.execute(include_str!("../../testdata/schema/keys.sql"));
        database.execute(include_str!("../../testdata/schema/bridge.sql"));
        for sql in statements {
            database.execute(sql);
        }
        let runtime = Runtime::new().unwrap();
        let source = runtime.block_on(Source::connect(&Config::new(Some(&database.dsn()), |_| None).unwrap())).unwrap();
        for file in entries(&directory) {
            let text = std::fs::read_to_string(directory.join(&file)).unwrap();
            let name = format!("keys/{}", file.strip_suffix(".sql").unwrap());
            let head = text.lines().next().unwrap();
            assert!(head.starts_with(&format!("-- {name}(")), "{head}");
            let Some((_, named)) = head.split_once("; index ") else {
                assert!(head.ends_with("catalogs only"), "{head}");
                continue;
            };
            let parameters = parameters(&name);
            let parameters: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|it| &**it).collect();
            let plan = runtime.block_on(source.explain(&name, false, &parameters)).unwrap().unwrap();
            for index in named.split(", ") {
                if !plan.contains(&format!(" using {index} on ")) {
                    faults.push(format!("{name} does not use {index}; {state}:\n{plan}"));
                }
            }
            // devices of application services are few among all
            if plan.contains("Seq Scan") && name != "keys/appservice_devices" {
                faults.push(format!("{name} reads a whole table; {state}:\n{plan}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

fn parameters(name: &str) -> Vec<Box<dyn ToSql + Sync>> {
    let user = || -> Box<dyn ToSql + Sync> { Box::new("@7:here.test") };
    match name {
        "keys/backup_versions" | "keys/secret_storage" => vec![user()],
        "keys/backup_sessions" => vec![user(), Box::new(1_i64), Box::new("!7"), Box::new(vec!["7", "8"])],
        "keys/backup_page" => vec![user(), Box::new(1_i64), Box::new("!7"), Box::new("7"), Box::new(100_i64)],
        "keys/bridge_page" => vec![Box::new("1"), Box::new("a".repeat(43)), Box::new(100_i64)],
        "keys/backup_rooms" => vec![user(), Box::new(1_i64)],
        "keys/devices" => vec![Box::new(vec!["@7:here.test", "@8:there.test"])],
        "keys/bridge_rooms" => vec![Box::new("1")],
        "keys/bridge_sessions" => vec![Box::new(vec!["0", "1"]), Box::new(vec!["a".repeat(43)])],
        _ => Vec::new(),
    }
}
