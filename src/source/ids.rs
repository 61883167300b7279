//! Ids as PostgreSQL has them: texts. Judges none.

use std::error::Error;

use tokio_postgres::types::{FromSql, Type};

use crate::event::{OwnedEventId, OwnedRoomId};

macro_rules! texts {
    ($($owned:ident)+) => {$(
        impl<'a> FromSql<'a> for $owned {
            fn from_sql(kind: &Type, text: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
                String::from_sql(kind, text).map($owned::of)
            }

            fn accepts(kind: &Type) -> bool {
                <String as FromSql<'_>>::accepts(kind)
            }
        }
    )+};
}

texts! { OwnedEventId OwnedRoomId }
