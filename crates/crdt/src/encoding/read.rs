//! Decoding of bytes that may be anything.
//!
//! No count is trusted: nothing is reserved ahead, and whatever is counted takes at least a byte each.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::any::Any;
use crate::context::Context;
use crate::dots::Dots;
use crate::encoding::{Form, VERSION};
use crate::error::{DecodeError, DecodeReason as Reason};
use crate::kind::Kind;
use crate::limits::Limits;
use crate::node::{Dot, NodeId};
use crate::register::Write;
use crate::seen::Seen;
use crate::slot::{Content, Slot, Variant};
use crate::tally::Tally;

const PRESENCE: u8 = 0x80;

pub(super) fn decode(form: Form, bytes: &[u8], limits: &Limits) -> Result<(Context, Slot), DecodeError> {
    let mut input = Input {
        bytes,
        at: 0,
        form,
        limits,
        nodes: Vec::new(),
        context: Context::default(),
        last_url: Arc::default(),
    };
    let tree = input.all();
    tree.map_err(|reason| DecodeError { reason, at: input.at })
}

struct Input<'a> {
    bytes: &'a [u8],
    /// Where the next byte is.
    at: usize,
    form: Form,
    limits: &'a Limits,
    nodes: Vec<NodeId>,
    context: Context,
    last_url: Arc<str>,
}

impl<'a> Input<'a> {
    fn all(&mut self) -> Result<(Context, Slot), Reason> {
        let limit = self.limits.bytes;
        if self.bytes.len() > limit {
            return Err(Reason::TooLarge { limit });
        }
        match self.byte()? {
            VERSION => {}
            version => return Err(Reason::Version(version)),
        }
        match self.byte()? {
            form if form == self.form as u8 => {}
            other => return Err(Reason::Content(other)),
        }
        self.context()?;
        let root = self.slot(0)?;
        if self.at < self.bytes.len() {
            return Err(Reason::Trailing);
        }
        Ok((std::mem::take(&mut self.context), root))
    }

    fn context(&mut self) -> Result<(), Reason> {
        let mut entries: Vec<(NodeId, Seen)> = Vec::new();
        for _ in 0..self.number()? {
            let node = NodeId::new(u64::from_le_bytes(self.array()?), self.number()?);
            if entries.last().is_some_and(|(last, _)| *last >= node) {
                return Err(Reason::Abnormal("nodes out of order"));
            }
            let seen = self.seen()?;
            if seen.is_empty() {
                return Err(Reason::Abnormal("a node of which nothing is known"));
            }
            entries.push((node, seen));
        }
        self.nodes = entries.iter().map(|(node, _)| *node).collect();
        self.context = Context::from_sorted(entries);
        Ok(())
    }

    fn seen(&mut self) -> Result<Seen, Reason> {
        let mut seen = Seen::default();
        let mut last = self.number()?;
        if last > 0 {
            seen.insert(1, last);
        }
        for _ in 0..self.number()? {
            let low = last.checked_add(2).ok_or(Reason::Number)?;
            let low = low.checked_add(self.number()?).ok_or(Reason::Number)?;
            let high = low.checked_add(self.number()?).ok_or(Reason::Number)?;
            seen.insert(low, high);
            last = high;
        }
        Ok(seen)
    }

    fn slot(&mut self, depth: usize) -> Result<Slot, Reason> {
        let head = self.number()?;
        let (count, swept) = (head / 2, head % 2 == 1);
        if swept && self.form == Form::State {
            return Err(Reason::Abnormal("a swept place in a state"));
        }
        if count == 0 && self.form == Form::State && depth > 0 {
            return Err(Reason::Abnormal("an empty entry"));
        }
        let mut variants: Vec<Variant> = Vec::new();
        for _ in 0..count {
            let variant = self.variant(depth)?;
            if variants.last().is_some_and(|last| last.kind() >= variant.kind()) {
                return Err(Reason::Abnormal("types out of order"));
            }
            variants.push(variant);
        }
        Ok(Slot::from_sorted(swept, variants))
    }

    fn variant(&mut self, depth: usize) -> Result<Variant, Reason> {
        let head = self.byte()?;
        let number = head & !PRESENCE;
        let kind = Kind::from_number(number).ok_or(Reason::Kind(number))?;
        let mut variant = Variant::new(kind);
        if head & PRESENCE != 0 {
            variant.presence = self.marks()?;
            if variant.presence.is_empty() {
                return Err(Reason::Abnormal("an empty presence"));
            }
        }
        match &mut variant.content {
            Content::Tallies(dots) => *dots = self.dots(Input::tally)?,
            Content::Elements(elements) => *elements = self.places(Input::element)?,
            Content::Writes(dots) => *dots = self.dots(Input::write)?,
            Content::Marks(dots) => *dots = self.marks()?,
            Content::Entries(entries) => {
                let limit = self.limits.depth;
                if depth >= limit {
                    return Err(Reason::TooDeep { limit });
                }
                *entries = self.places(|input| input.slot(depth + 1))?;
            }
        }
        if self.form == Form::State && variant.is_empty() {
            return Err(Reason::Abnormal("a type without writes"));
        }
        Ok(variant)
    }

    fn places<T>(
        &mut self,
        mut place: impl FnMut(&mut Self) -> Result<T, Reason>,
    ) -> Result<BTreeMap<Any, T>, Reason> {
        let mut places = BTreeMap::new();
        for _ in 0..self.number()? {
            let key = self.any()?;
            if places.last_key_value().is_some_and(|(last, _)| *last >= key) {
                return Err(Reason::Abnormal("keys out of order"));
            }
            places.insert(key, place(self)?);
        }
        Ok(places)
    }

    fn element(&mut self) -> Result<Dots, Reason> {
        let dots = self.marks()?;
        if self.form == Form::State && dots.is_empty() {
            return Err(Reason::Abnormal("an element without writes"));
        }
        Ok(dots)
    }

    fn marks(&mut self) -> Result<Dots, Reason> {
        self.dots(|_| Ok(()))
    }

    fn dots<V: Clone + Ord>(
        &mut self,
        mut payload: impl FnMut(&mut Self) -> Result<V, Reason>,
    ) -> Result<Dots<V>, Reason> {
        let mut dots: Vec<(Dot, V)> = Vec::new();
        for _ in 0..self.number()? {
            let node = usize::try_from(self.number()?).ok();
            let node = node.and_then(|at| self.nodes.get(at)).copied();
            let dot = Dot::new(node.ok_or(Reason::Abnormal("an unknown node"))?, self.number()?);
            if !self.context.contains(dot) {
                return Err(Reason::Abnormal("a write that the context does not know"));
            }
            if dots.last().is_some_and(|(last, _)| *last >= dot) {
                return Err(Reason::Abnormal("writes out of order"));
            }
            dots.push((dot, payload(self)?));
        }
        Ok(Dots::from_sorted(dots))
    }

    fn tally(&mut self) -> Result<Tally, Reason> {
        Ok(Tally {
            folded: self.number()?,
            sum: unzigzag_wide(self.wide()?),
        })
    }

    fn write(&mut self) -> Result<Write, Reason> {
        Ok(Write {
            timestamp: unzigzag(self.number()?),
            value: self.any()?,
        })
    }

    fn any(&mut self) -> Result<Any, Reason> {
        match self.number()? {
            0 => {}
            length => {
                let url = std::str::from_utf8(self.take(length - 1)?).map_err(|_| Reason::Url)?;
                if url == &*self.last_url {
                    return Err(Reason::Abnormal("a type URL twice"));
                }
                self.last_url = url.into();
            }
        }
        let length = self.number()?;
        Ok(Any::new(self.last_url.clone(), self.take(length)?))
    }

    fn byte(&mut self) -> Result<u8, Reason> {
        Ok(self.array::<1>()?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Reason> {
        let array = self.bytes[self.at..].first_chunk().ok_or(Reason::CutShort)?;
        self.at += N;
        Ok(*array)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Reason> {
        let length = usize::try_from(length).map_err(|_| Reason::CutShort)?;
        let bytes = self.bytes[self.at..].get(..length).ok_or(Reason::CutShort)?;
        self.at += length;
        Ok(bytes)
    }

    fn number(&mut self) -> Result<u64, Reason> {
        u64::try_from(self.wide()?).map_err(|_| Reason::Number)
    }

    fn wide(&mut self) -> Result<u128, Reason> {
        let (mut number, mut shift) = (0u128, 0);
        loop {
            let byte = self.byte()?;
            let bits = u128::from(byte & 0x7f);
            // 18 bytes hold 126 bits; the 19th has room for two.
            if shift == 126 && bits > 3 || shift > 126 {
                return Err(Reason::Number);
            }
            number |= bits << shift;
            if byte < 0x80 {
                let padded = byte == 0 && shift > 0;
                return if padded { Err(Reason::Number) } else { Ok(number) };
            }
            shift += 7;
        }
    }
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

fn unzigzag_wide(number: u128) -> i128 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}
