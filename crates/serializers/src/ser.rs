//! Writing: any serializer, with `__nt_name` added to every struct.

use std::fmt::Display;

use serde::Serialize;
use serde::ser::{
    Error, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use crate::NT_NAME;

/// Writes records through the serializer it holds.
pub(crate) struct Records<S>(pub(crate) S);

/// A value inside a message: its records are written as records too.
struct Inner<'a, T: ?Sized>(&'a T);

impl<T: Serialize + ?Sized> Serialize for Inner<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(Records(serializer))
    }
}

macro_rules! forward {
    ($($method:ident: $type:ty),* $(,)?) => {
        $(fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.0.$method(value)
        })*
    };
}

impl<S: Serializer> Serializer for Records<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Compound<S::SerializeSeq>;
    type SerializeTuple = Compound<S::SerializeSeq>;
    type SerializeTupleStruct = Compound<S::SerializeSeq>;
    type SerializeTupleVariant = Compound<S::SerializeSeq>;
    type SerializeMap = Compound<S::SerializeMap>;
    type SerializeStruct = RecordWriter<S::SerializeMap>;
    type SerializeStructVariant = RecordWriter<S::SerializeMap>;

    forward! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_i128: i128, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_u128: u128, serialize_char: char, serialize_str: &str, serialize_bytes: &[u8],
    }

    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        check_finite(value.is_finite(), value)?;
        self.0.serialize_f32(value)
    }

    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        check_finite(value.is_finite(), value)?;
        self.0.serialize_f64(value)
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.0.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.0.serialize_unit()
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        SerializeStruct::end(RecordWriter::new(self.0, name, 0)?)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        SerializeStruct::end(RecordWriter::new(self.0, variant, 0)?)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        value.serialize(self)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.0.serialize_seq(length).map(Compound)
    }

    fn serialize_tuple(self, length: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        self.serialize_seq(Some(length))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        self.0.serialize_map(length).map(Compound)
    }

    fn serialize_struct(
        self,
        name: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        RecordWriter::new(self.0, name, length)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        RecordWriter::new(self.0, variant, length)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.0.collect_str(value)
    }
}

/// JSON has no form for these, and Python's bare `NaN` is none.
fn check_finite<E: Error>(finite: bool, value: impl Display) -> Result<(), E> {
    if finite {
        Ok(())
    } else {
        Err(E::custom(format!("{value} is not JSON serializable")))
    }
}

/// A list or a plain dictionary.
pub(crate) struct Compound<C>(C);

macro_rules! sequence {
    ($($trait:ident $method:ident),*) => {
        $(impl<C: SerializeSeq> $trait for Compound<C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                self.0.serialize_element(&Inner(value))
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.0.end()
            }
        })*
    };
}

sequence!(
    SerializeSeq serialize_element,
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field
);

impl<C: SerializeMap> SerializeMap for Compound<C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        self.0.serialize_key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        self.0.serialize_value(&Inner(value))
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.0.end()
    }
}

/// A record, from its name to its last field.
pub(crate) struct RecordWriter<M> {
    map: M,
    /// Not written yet: a type tagged by serde itself brings its own `__nt_name` as first field.
    name: Option<&'static str>,
}

impl<M: SerializeMap> RecordWriter<M> {
    fn new<S>(serializer: S, name: &'static str, length: usize) -> Result<Self, S::Error>
    where
        S: Serializer<SerializeMap = M>,
    {
        Ok(Self {
            map: serializer.serialize_map(Some(length + 1))?,
            name: Some(name),
        })
    }

    fn field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), M::Error> {
        let name = self.name.take();
        if key != NT_NAME {
            self.write_name(name)?;
        }
        self.map.serialize_entry(key, &Inner(value))
    }

    fn write_name(&mut self, name: Option<&'static str>) -> Result<(), M::Error> {
        match name {
            Some(name) => self.map.serialize_entry(NT_NAME, name),
            None => Ok(()),
        }
    }

    fn finish(mut self) -> Result<M::Ok, M::Error> {
        let name = self.name.take();
        self.write_name(name)?;
        self.map.end()
    }
}

macro_rules! record {
    ($($trait:ident),*) => {
        $(impl<M: SerializeMap> $trait for RecordWriter<M> {
            type Ok = M::Ok;
            type Error = M::Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), M::Error> {
                self.field(key, value)
            }

            fn end(self) -> Result<M::Ok, M::Error> {
                self.finish()
            }
        })*
    };
}

record!(SerializeStruct, SerializeStructVariant);
