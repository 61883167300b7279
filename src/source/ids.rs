//! Ids as PostgreSQL has them: texts. Judges none.

use std::error::Error;

use tokio_postgres::types::{FromSql, Type};

use crate::event::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};

macro_rules! texts {
    ($($name:ident $owned:ident)+) => {$(
        impl<'a> FromSql<'a> for $name<'a> {
            fn from_sql(kind: &Type, text: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
                <&str as FromSql<'_>>::from_sql(kind, text).map($name::of)
            }

            fn accepts(kind: &Type) -> bool {
                <&str as FromSql<'_>>::accepts(kind)
            }
        }

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

texts! { EventId OwnedEventId RoomId OwnedRoomId UserId OwnedUserId }
