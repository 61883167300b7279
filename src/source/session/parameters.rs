//! The types of a statement's parameters, which must be told with a statement that is not prepared. Each stands in the
//! statement itself, which casts it: `$1::bigint`.

use tokio_postgres::types::Type;

/// The types of the parameters, in their order. One that is not cast is taken for a text.
pub(super) fn types(sql: &str) -> impl Iterator<Item = Type> + '_ {
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
