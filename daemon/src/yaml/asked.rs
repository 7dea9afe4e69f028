//! A node as serde asks for it.
//!
//! What is asked for decides what a scalar is: `00123` is text where text is asked for. Where anything may stand a plain
//! scalar is what YAML 1.2 says it is, and a quoted one is text.

use super::Location;
use super::node::{Node, Shape};
use super::scalar;
use super::spanned::PLACED;
use super::wrong::{KIND_LIST, KIND_MAPPING, KIND_SCALAR, KIND_TEXT, What, Wrong};
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer as _, Visitor};

impl Node {
    fn expected(&self, kind: &'static str) -> Wrong {
        if matches!(self.shape, Shape::Absent) { self.nothing() } else { self.wrong(What::Expected(kind)) }
    }

    fn nothing(&self) -> Wrong {
        self.wrong(What::Structure("the file is empty or ends too early".into()))
    }

    /// Said of this node by who reads it.
    pub(super) fn blamed(&self, wrong: Wrong) -> Wrong {
        if matches!(self.shape, Shape::Absent) { self.nothing() } else { wrong.at(self.place, self.used) }
    }

    fn is_nothing(&self) -> bool {
        match &self.shape {
            Shape::Absent => true,
            Shape::Scalar { text, plain } => *plain && scalar::is_nothing(text),
            Shape::List(_) | Shape::Mapping(_) => false,
        }
    }

    fn said(&self) -> Result<&str, Wrong> {
        match self.text() {
            Some(text) if !self.is_nothing() => Ok(text),
            _ => Err(self.expected(KIND_TEXT)),
        }
    }

    fn truth(&self) -> Result<bool, Wrong> {
        self.text().and_then(scalar::truth).ok_or_else(|| self.expected("boolean"))
    }

    fn number(&self) -> Result<f64, Wrong> {
        self.text().and_then(scalar::number).ok_or_else(|| self.expected("f64"))
    }

    fn whole(&self, kind: &'static str, least: i128, most: i128) -> Result<i128, Wrong> {
        let number = self.text().and_then(scalar::whole).filter(|number| (least..=most).contains(number));
        number.ok_or_else(|| self.expected(kind))
    }

    fn items(&self) -> Result<&[Node], Wrong> {
        match &self.shape {
            Shape::List(items) => Ok(items),
            Shape::Absent => Ok(&[]),
            _ => Err(self.expected(KIND_LIST)),
        }
    }

    fn entries(&self) -> Result<&[(Node, Node)], Wrong> {
        match &self.shape {
            Shape::Mapping(entries) => Ok(entries),
            Shape::Absent => Ok(&[]),
            _ => Err(self.expected(KIND_MAPPING)),
        }
    }

    /// Shows a scalar of which any kind is good.
    fn show<'de, V: Visitor<'de>>(&self, text: &str, plain: bool, visitor: V) -> Result<V::Value, Wrong> {
        if !plain {
            return visitor.visit_str(text);
        }
        if scalar::is_nothing(text) {
            return visitor.visit_unit();
        }
        if let Some(truth) = scalar::truth(text) {
            return visitor.visit_bool(truth);
        }
        if let Some(number) = scalar::whole(text) {
            if let Ok(number) = u64::try_from(number) {
                return visitor.visit_u64(number);
            }
            if let Ok(number) = i64::try_from(number) {
                return visitor.visit_i64(number);
            }
        }
        match scalar::number(text) {
            Some(number) if number.is_finite() => visitor.visit_f64(number),
            Some(_) => Err(self.wrong(What::Message("is not a finite number".into()))),
            None => visitor.visit_str(text),
        }
    }
}

macro_rules! whole {
    ($($asked:ident $visit:ident $kind:ident),*) => {$(
        fn $asked<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
            let number = self.whole(stringify!($kind), $kind::MIN.into(), $kind::MAX.into())?;
            visitor.$visit(number as $kind).map_err(|wrong| self.blamed(wrong))
        }
    )*};
}

impl<'de> Deserializer<'de> for &Node {
    type Error = Wrong;

    whole! {
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64, deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.shape {
            Shape::Absent => visitor.visit_unit().map_err(|wrong| self.blamed(wrong)),
            Shape::Scalar { text, plain } => {
                self.show(text, *plain, visitor).map_err(|wrong| self.blamed(wrong))
            }
            Shape::List(_) => self.deserialize_seq(visitor),
            Shape::Mapping(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_bool(self.truth()?).map_err(|wrong| self.blamed(wrong))
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_f64(self.number()?).map_err(|wrong| self.blamed(wrong))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_str(self.said()?).map_err(|wrong| self.blamed(wrong))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let shown = if self.is_nothing() { visitor.visit_none() } else { visitor.visit_some(self) };
        shown.map_err(|wrong| self.blamed(wrong))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        if self.is_nothing() { visitor.visit_unit() } else { Err(self.expected("nothing")) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let shown = if name == PLACED {
            let Location { line, column, index } = self.stands();
            visitor.visit_seq(Placed { numbers: [line, column, index].into_iter(), node: Some(self) })
        } else {
            visitor.visit_newtype_struct(self)
        };
        shown.map_err(|wrong| self.blamed(wrong))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let items = self.items()?.iter();
        visitor.visit_seq(Items(items)).map_err(|wrong| self.blamed(wrong))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let entries = self.entries()?.iter();
        visitor.visit_map(Entries { entries, value: None }).map_err(|wrong| self.blamed(wrong))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let choice = match &self.shape {
            Shape::Mapping(entries) => match &entries[..] {
                [(word, value)] => Choice { word, value: Some(value) },
                [_, (second, _), ..] => {
                    return Err(second.wrong(What::Structure("only one choice can stand here".into())));
                }
                [] => return Err(self.expected(KIND_SCALAR)),
            },
            _ => Choice { word: self, value: None },
        };
        visitor.visit_enum(choice).map_err(|wrong| self.blamed(wrong))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! { bytes byte_buf }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_str(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_str(visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.deserialize_seq(visitor)
    }
}

/// A list's items.
struct Items<'n>(std::slice::Iter<'n, Node>);

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Wrong> {
        let item = self.0.next();
        item.map(|item| seed.deserialize(item).map_err(|wrong| item.blamed(wrong))).transpose()
    }
}

/// A mapping's keys and values.
struct Entries<'n> {
    entries: std::slice::Iter<'n, (Node, Node)>,
    value: Option<&'n Node>,
}

impl<'de> de::MapAccess<'de> for Entries<'_> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(key).map(Some).map_err(|wrong| key.blamed(wrong))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Wrong> {
        let missing = || de::Error::custom("a value is asked for before its key");
        let value = self.value.take().ok_or_else(missing)?;
        seed.deserialize(value).map_err(|wrong| value.blamed(wrong))
    }
}

/// The parts of a [`super::Spanned`].
struct Placed<'n> {
    numbers: std::array::IntoIter<u32, 3>,
    node: Option<&'n Node>,
}

impl<'de> de::SeqAccess<'de> for Placed<'_> {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Wrong> {
        match self.numbers.next() {
            Some(number) => seed.deserialize(number.into_deserializer()).map(Some),
            None => self.node.take().map(|node| seed.deserialize(node)).transpose(),
        }
    }
}

/// A choice by name, with what belongs to it.
struct Choice<'n> {
    word: &'n Node,
    value: Option<&'n Node>,
}

impl<'de, 'n> de::EnumAccess<'de> for Choice<'n> {
    type Error = Wrong;
    type Variant = Choice<'n>;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Choice<'n>), Wrong> {
        Ok((seed.deserialize(self.word).map_err(|wrong| self.word.blamed(wrong))?, self))
    }
}

impl Choice<'_> {
    fn value(&self, kind: &'static str) -> Result<&Node, Wrong> {
        self.value.ok_or_else(|| self.word.expected(kind))
    }
}

impl<'de> de::VariantAccess<'de> for Choice<'_> {
    type Error = Wrong;

    fn unit_variant(self) -> Result<(), Wrong> {
        match self.value {
            Some(value) if !value.is_nothing() => Err(value.expected("nothing")),
            _ => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Wrong> {
        let value = self.value(KIND_MAPPING)?;
        seed.deserialize(value).map_err(|wrong| value.blamed(wrong))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Wrong> {
        self.value(KIND_LIST)?.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.value(KIND_MAPPING)?.deserialize_map(visitor)
    }
}
