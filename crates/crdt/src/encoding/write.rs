//! Encoding.

use std::sync::Arc;

use crate::any::Any;
use crate::context::Context;
use crate::dots::Dots;
use crate::slot::{Content, Slot, Variant};

pub(super) struct Output<'a> {
    bytes: &'a mut Vec<u8>,
    context: &'a Context,
    last_url: Arc<str>,
}

impl<'a> Output<'a> {
    pub(super) fn new(bytes: &'a mut Vec<u8>, context: &'a Context) -> Output<'a> {
        Output {
            bytes,
            context,
            last_url: Arc::default(),
        }
    }

    pub(super) fn tree(mut self, root: &Slot) {
        self.context();
        self.slot(root);
    }

    fn context(&mut self) {
        let context = self.context;
        self.length(context.len());
        for (node, seen) in context.iter() {
            self.bytes.extend(node.address.to_le_bytes());
            self.number(node.generation);
            self.number(seen.upto());
            self.length(seen.beyond().len());
            let mut last = seen.upto();
            for &(low, high) in seen.beyond() {
                self.number(low - last - 2);
                self.number(high - low);
                last = high;
            }
        }
    }

    fn slot(&mut self, slot: &Slot) {
        self.length(slot.variants().len() * 2 + usize::from(slot.swept));
        slot.variants().iter().for_each(|variant| self.variant(variant));
    }

    fn variant(&mut self, variant: &Variant) {
        let presence = !variant.presence.is_empty();
        self.bytes.push(variant.kind().number() | u8::from(presence) << 7);
        if presence {
            self.marks(&variant.presence);
        }
        match &variant.content {
            Content::Tallies(dots) => self.dots(dots, |output, tally| {
                output.number(tally.folded);
                output.wide(zigzag_wide(tally.sum));
            }),
            Content::Elements(elements) => {
                self.length(elements.len());
                for (element, dots) in elements {
                    self.any(element);
                    self.marks(dots);
                }
            }
            Content::Writes(dots) => self.dots(dots, |output, write| {
                output.number(zigzag(write.timestamp));
                output.any(&write.value);
            }),
            Content::Marks(dots) => self.marks(dots),
            Content::Entries(entries) => {
                self.length(entries.len());
                for (key, slot) in entries {
                    self.any(key);
                    self.slot(slot);
                }
            }
        }
    }

    fn marks(&mut self, dots: &Dots) {
        self.dots(dots, |_, ()| {});
    }

    fn dots<V: Clone + Ord>(&mut self, dots: &Dots<V>, mut payload: impl FnMut(&mut Self, &V)) {
        self.length(dots.len());
        for (dot, value) in dots.iter() {
            // The context knows every write, so both arms give its place.
            let node = self.context.position(dot.node).unwrap_or_else(|at| at);
            self.length(node);
            self.number(dot.sequence);
            payload(self, value);
        }
    }

    fn any(&mut self, any: &Any) {
        let url = any.shared_url();
        if Arc::ptr_eq(url, &self.last_url) || *url == self.last_url {
            self.number(0);
        } else {
            self.length(url.len() + 1);
            self.bytes.extend(url.as_bytes());
            self.last_url = url.clone();
        }
        self.length(any.value().len());
        self.bytes.extend(any.value());
    }

    fn length(&mut self, length: usize) {
        self.number(length as u64);
    }

    fn number(&mut self, number: u64) {
        self.wide(number.into());
    }

    fn wide(&mut self, mut number: u128) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

fn zigzag_wide(number: i128) -> u128 {
    ((number << 1) ^ (number >> 127)).cast_unsigned()
}
