//! Running a statement that is not prepared, with which the types of its parameters must be told. Each stands in the statement
//! itself, which casts it: `$1::bigint`.

use std::pin::pin;

use futures_util::TryStreamExt as _;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, RowStream};

use crate::source::statements::Statement;

/// What a row takes in memory beside its values, in bytes.
pub(super) const ROW: usize = 200;
/// How much is kept of an answer of a row or two.
const FEW: usize = 1 << 20;

/// The types of the parameters, in their order. One that is not cast is taken for a text.
fn types(sql: &str) -> impl Iterator<Item = Type> + '_ {
    (1..).map(move |nth| {
        let name = sql.split_once(&format!("${nth}::")).map_or("", |(_, cast)| {
            cast.split_once(|c: char| !c.is_ascii_alphabetic() && c != '[' && c != ']').map_or(cast, |(name, _)| name)
        });
        match name {
            "bigint" => Type::INT8,
            "bigint[]" => Type::INT8_ARRAY,
            "integer" => Type::INT4,
            "boolean" => Type::BOOL,
            "text[]" => Type::TEXT_ARRAY,
            _ => Type::TEXT,
        }
    })
}

/// Runs a statement without a name, which is gone with the next one: see [`types`].
pub(super) async fn typed_raw(
    client: &Client,
    statement: &Statement,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<RowStream, tokio_postgres::Error> {
    let sql = &*statement.sql;
    client.query_typed_raw(sql, parameters.iter().copied().zip(types(sql))).await
}

/// The same, for few rows.
pub(super) async fn typed(
    client: &Client,
    statement: &Statement,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let mut rows = pin!(typed_raw(client, statement, parameters).await?);
    let (mut few, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.try_next().await? {
        bytes += row.raw_size_bytes() + ROW;
        // of more than these nothing is read
        if bytes > FEW {
            break;
        }
        few.push(row);
    }
    Ok(few)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_stand_behind_the_parameters() {
        let sql =
            "-- it($1 id, $2 names)\nselect $10::text, $2::text[], $1::bigint = any ($3::bigint[]) or $4::boolean";
        let types: Vec<Type> = types(sql).take(4).collect();
        assert_eq!(types, [Type::INT8, Type::TEXT_ARRAY, Type::INT8_ARRAY, Type::BOOL]);
    }
}
