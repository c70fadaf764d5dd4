//! Reading: a [`Value`] as serde sees it, where a struct is a record.

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

use crate::error::python_type;
use crate::{Error, ErrorKind, NT_NAME};

pub(crate) struct ValueDeserializer(pub(crate) Value);

impl<'de> IntoDeserializer<'de, Error> for ValueDeserializer {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for ValueDeserializer {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(value), _) => visitor.visit_u64(value),
                (_, Some(value)) => visitor.visit_i64(value),
                _ => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(value) => visitor.visit_string(value),
            Value::Array(items) => visitor.visit_seq(List {
                items: items.into_iter(),
                index: 0,
            }),
            Value::Object(members) => visitor.visit_map(Members::new(members)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            value => visitor.visit_some(ValueDeserializer(value)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let (found, members) = open_record(self.0, || format!("the record {name}"))?;
        if found != name {
            return Err(Error::new(ErrorKind::UnknownRecord {
                name: found,
                known: &[],
            }));
        }
        read_record(name, fields, members, visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let (found, members) = open_record(self.0, || format!("the record {name}"))?;
        if found != name {
            return Err(Error::new(ErrorKind::UnknownRecord {
                name: found,
                known: &[],
            }));
        }
        check_fields(name, &[], &members)?;
        visitor.visit_unit()
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let (name, members) = open_record(self.0, || {
            format!("one of the records {}", variants.join(", "))
        })?;
        match variants.iter().find(|variant| name == **variant) {
            Some(variant) => visitor.visit_enum(Record {
                name: variant,
                members,
            }),
            None => Err(Error::new(ErrorKind::UnknownRecord {
                name,
                known: variants,
            })),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit seq tuple tuple_struct map identifier ignored_any
    }
}

/// A record's name and its other members.
fn open_record(
    value: Value,
    expected: impl FnOnce() -> String,
) -> Result<(Value, Map<String, Value>), Error> {
    let found = python_type(&value);
    if let Value::Object(mut members) = value
        && let Some(name) = members.shift_remove(NT_NAME)
    {
        return Ok((name, members));
    }
    Err(Error::new(ErrorKind::WrongType {
        expected: expected(),
        found,
    }))
}

fn check_fields(name: &str, fields: &[&str], members: &Map<String, Value>) -> Result<(), Error> {
    match members.keys().find(|key| !fields.contains(&key.as_str())) {
        Some(stranger) => Err(Error::new(ErrorKind::UnknownField {
            record: name.to_owned(),
            field: stranger.clone(),
            fields: fields.iter().map(ToString::to_string).collect(),
        })),
        None => Ok(()),
    }
}

fn read_record<'de, V: Visitor<'de>>(
    name: &str,
    fields: &'static [&'static str],
    members: Map<String, Value>,
    visitor: V,
) -> Result<V::Value, Error> {
    check_fields(name, fields, &members)?;
    let present: Vec<String> = members.keys().cloned().collect();
    visitor
        .visit_map(Members::new(members))
        .map_err(|e| e.in_record(name, fields, &present))
}

/// A record whose variant is chosen.
struct Record {
    name: &'static str,
    members: Map<String, Value>,
}

impl<'de> EnumAccess<'de> for Record {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        let name: StrDeserializer<'_, Error> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Record {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        check_fields(self.name, &[], &self.members)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value, Error> {
        ValueDeserializer(Value::Object(self.members)).deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        read_record(self.name, fields, self.members, visitor)
    }
}

/// What a variant holds: a struct reads the record's fields whatever its own name is, anything else the plain members.
impl<'de> Deserializer<'de> for Record {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Members::new(self.members))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        read_record(self.name, fields, self.members, visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        check_fields(self.name, &[], &self.members)?;
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct List {
    items: std::vec::IntoIter<Value>,
    index: usize,
}

impl<'de> SeqAccess<'de> for List {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        let Some(item) = self.items.next() else {
            return Ok(None);
        };
        let index = self.index;
        self.index += 1;
        seed.deserialize(ValueDeserializer(item))
            .map(Some)
            .map_err(|e| e.at_index(index))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Members {
    members: serde_json::map::IntoIter,
    current: Option<(String, Value)>,
}

impl Members {
    fn new(members: Map<String, Value>) -> Self {
        Self {
            members: members.into_iter(),
            current: None,
        }
    }
}

impl<'de> MapAccess<'de> for Members {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        let Some((name, value)) = self.members.next() else {
            return Ok(None);
        };
        let key = seed.deserialize(ValueDeserializer(Value::String(name.clone())));
        self.current = Some((name, value));
        key.map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        // serde asks for a value only after its key.
        let (name, value) = self.current.take().unwrap_or_default();
        seed.deserialize(ValueDeserializer(value))
            .map_err(|e| e.in_field(&name))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.members.len())
    }
}
