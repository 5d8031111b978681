//! The tree of a state: places, and what they hold.
//!
//! ```text
//!   Slot ─┬─ Variant GCounter   presence · writes with tallies
//!         ├─ Variant ORSet      presence · element ─▶ writes
//!         └─ Variant ORMap      presence · key ─▶ Slot …
//! ```
//!
//! A slot holds one variant as a rule. It holds several after nodes that did not know of each other gave it different
//! types; then the one with the lowest number is visible, on every node.
//!
//! A variant exists as long as a write lives anywhere in it. *Presence* is a write of its own for what leaves nothing else
//! behind: an empty set, a removal.

use std::collections::BTreeMap;

use crate::any::Any;
use crate::dots::Dots;
use crate::kind::Kind;
use crate::node::Dot;
use crate::register::Write;
use crate::tally::Tally;

/// A place that holds a CRDT: the root of a state, or an entry of a map.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Slot {
    /// In deltas only: what the delta removes may stand anywhere below, not only where the delta has a place for it.
    pub(crate) swept: bool,
    /// Sorted by kind, each kind once.
    variants: Vec<Variant>,
}

/// A CRDT of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variant {
    kind: Kind,
    pub(crate) presence: Dots,
    pub(crate) content: Content,
}

/// What a type keeps. Types that keep the same differ in what may be done to them and how they are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// GCounter, PNCounter: what each node added in all. Vote: 1 for yes, 0 for no. Only the last write of each node counts.
    Tallies(Dots<Tally>),
    /// GSet, ORSet.
    Elements(BTreeMap<Any, Dots>),
    /// LWWRegister: writes that did not know of each other. The greatest is visible.
    Writes(Dots<Write>),
    /// Flag: writes that switched it on.
    Marks(Dots),
    /// ORMap.
    Entries(BTreeMap<Any, Slot>),
}

impl Slot {
    /// Takes variants that are sorted by kind, without duplicates.
    pub(crate) fn from_sorted(swept: bool, variants: Vec<Variant>) -> Slot {
        Slot { swept, variants }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.variants.is_empty()
    }

    pub(crate) fn variants(&self) -> &[Variant] {
        &self.variants
    }

    pub(crate) fn variant(&self, kind: Kind) -> Option<&Variant> {
        self.position(kind).ok().map(|at| &self.variants[at])
    }

    /// The variant of this kind, made empty if there is none.
    pub(crate) fn variant_mut(&mut self, kind: Kind) -> &mut Variant {
        let at = self.position(kind).unwrap_or_else(|at| {
            self.variants.insert(at, Variant::new(kind));
            at
        });
        &mut self.variants[at]
    }

    /// What the user function sees.
    pub(crate) fn visible(&self) -> Option<&Variant> {
        self.variants.first()
    }

    /// Whether what is visible is a vote or has one in it.
    pub(crate) fn has_votes(&self) -> bool {
        self.visible().is_some_and(|variant| match &variant.content {
            Content::Tallies(_) => variant.kind == Kind::Vote,
            Content::Entries(entries) => entries.values().any(Slot::has_votes),
            Content::Elements(_) | Content::Writes(_) | Content::Marks(_) => false,
        })
    }

    /// Changes each variant, then drops those in which no write lives.
    pub(crate) fn retain(&mut self, mut change: impl FnMut(&mut Variant)) {
        self.variants.iter_mut().for_each(&mut change);
        self.prune();
    }

    /// Drops the variants in which no write lives.
    pub(crate) fn prune(&mut self) {
        self.variants.retain(|variant| !variant.is_empty());
    }

    /// Calls `visit` with every live write; one of a counter or vote comes with its tally.
    pub(crate) fn for_each_dot(&self, visit: &mut impl FnMut(Dot, Option<&Tally>)) {
        for variant in &self.variants {
            variant.presence.iter().for_each(|(dot, ())| visit(*dot, None));
            match &variant.content {
                Content::Tallies(dots) => dots.iter().for_each(|(dot, tally)| visit(*dot, Some(tally))),
                Content::Elements(elements) => {
                    let dots = elements.values().flat_map(Dots::iter);
                    dots.for_each(|(dot, ())| visit(*dot, None));
                }
                Content::Writes(dots) => dots.iter().for_each(|(dot, _)| visit(*dot, None)),
                Content::Marks(dots) => dots.iter().for_each(|(dot, ())| visit(*dot, None)),
                Content::Entries(entries) => entries.values().for_each(|slot| slot.for_each_dot(visit)),
            }
        }
    }

    /// Keeps only some of the live writes, and the places that are left with any.
    pub(crate) fn retain_dots(&mut self, keep: &mut impl FnMut(Dot, Option<&Tally>) -> bool) {
        self.retain(|variant| {
            variant.presence.retain(|dot, ()| keep(dot, None));
            match &mut variant.content {
                Content::Tallies(dots) => dots.retain(|dot, tally| keep(dot, Some(tally))),
                Content::Elements(elements) => elements.retain(|_, dots| {
                    dots.retain(|dot, ()| keep(dot, None));
                    !dots.is_empty()
                }),
                Content::Writes(dots) => dots.retain(|dot, _| keep(dot, None)),
                Content::Marks(dots) => dots.retain(|dot, ()| keep(dot, None)),
                Content::Entries(entries) => entries.retain(|_, slot| {
                    slot.retain_dots(keep);
                    !slot.is_empty()
                }),
            }
        });
    }

    fn position(&self, kind: Kind) -> Result<usize, usize> {
        self.variants.binary_search_by_key(&kind, |variant| variant.kind)
    }
}

impl Variant {
    pub(crate) fn new(kind: Kind) -> Variant {
        let content = match kind {
            Kind::GCounter | Kind::PNCounter | Kind::Vote => Content::Tallies(Dots::default()),
            Kind::GSet | Kind::ORSet => Content::Elements(BTreeMap::new()),
            Kind::LWWRegister => Content::Writes(Dots::default()),
            Kind::Flag => Content::Marks(Dots::default()),
            Kind::ORMap => Content::Entries(BTreeMap::new()),
        };
        Variant {
            kind,
            presence: Dots::default(),
            content,
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether no write lives in it. Looks no deeper than the entries of a map, which hold none that are empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.presence.is_empty() && self.content.is_empty()
    }
}

impl Content {
    fn is_empty(&self) -> bool {
        match self {
            Content::Tallies(dots) => dots.is_empty(),
            Content::Elements(elements) => elements.is_empty(),
            Content::Writes(dots) => dots.is_empty(),
            Content::Marks(dots) => dots.is_empty(),
            Content::Entries(entries) => entries.is_empty(),
        }
    }
}
