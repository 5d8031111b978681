//! A state whose type is not fixed.

use cloudstate_protocol::crdt::crdt_delta::Delta;

use super::replicated::{ApplyError, Replicated, mismatch};
use super::{Flag, GCounter, GSet, LWWRegister, ORMap, ORSet, PNCounter, Vote};
use crate::{Failure, Raw};

/// The entity, or the entry of a map, is of another type than the handler asks for. A handler may return it with `?`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the type is {actual}, not {asked}")]
pub struct WrongType {
    /// Its type.
    pub actual: &'static str,
    /// What was asked for.
    pub asked: &'static str,
}

impl From<WrongType> for Failure {
    fn from(error: WrongType) -> Self {
        Failure::new(error.to_string())
    }
}

/// A state of any type: for a service whose entities differ, and for maps whose values differ. The first that asks for a type
/// makes it one; from then on it is that.
///
/// Elements, keys and values are [`Raw`], since nothing says what they are.
#[derive(Debug, Clone, Default)]
pub struct Untyped {
    value: Value,
    /// Others know of it; else it is of its type for this node only.
    known: bool,
}

#[derive(Debug, Clone, Default)]
enum Value {
    #[default]
    Nothing,
    GCounter(GCounter),
    PNCounter(PNCounter),
    GSet(GSet<Raw>),
    ORSet(ORSet<Raw>),
    LWWRegister(LWWRegister<Raw>),
    Flag(Flag),
    ORMap(ORMap<Raw, Untyped>),
    Vote(Vote),
}

macro_rules! types {
    ($( $method:ident, $read:ident: $variant:ident($type:ty), $delta:ident; )*) => {
        impl Untyped {
            $(
                /// The state as this type, made if there is nothing yet.
                ///
                /// # Errors
                /// If it is of another type.
                pub fn $method(&mut self) -> Result<&mut $type, WrongType> {
                    if let Value::Nothing = self.value {
                        self.value = Value::$variant(Replicated::fresh());
                    }
                    let actual = self.type_name().unwrap_or_default();
                    match &mut self.value {
                        Value::$variant(value) => Ok(value),
                        _ => Err(WrongType { actual, asked: stringify!($variant) }),
                    }
                }

                /// The state as this type, if it is that.
                pub fn $read(&self) -> Option<&$type> {
                    match &self.value {
                        Value::$variant(value) => Some(value),
                        _ => None,
                    }
                }
            )*

            /// The name of its type; `None` if there is nothing yet.
            pub fn type_name(&self) -> Option<&'static str> {
                match &self.value {
                    Value::Nothing => None,
                    $( Value::$variant(_) => Some(stringify!($variant)), )*
                }
            }

            /// Becomes what the delta is of, if it is nothing or nobody knows what it is.
            fn become_type_of(&mut self, delta: &Delta) {
                match (delta, &self.value) {
                    $( (Delta::$delta(_), Value::$variant(_)) => {} )*
                    $( (Delta::$delta(_), _) if !self.known => {
                        self.value = Value::$variant(Replicated::fresh());
                    } )*
                    _ => {}
                }
            }
        }

        impl Replicated for Untyped {
            const NAME: &'static str = "CRDT of that type";

            fn fresh() -> Self {
                Self::default()
            }

            fn change(&self) -> Option<Delta> {
                match &self.value {
                    Value::Nothing => None,
                    $( Value::$variant(value) => value.change(), )*
                }
            }

            fn whole(&self) -> Option<Delta> {
                match &self.value {
                    Value::Nothing => None,
                    $( Value::$variant(value) => value.whole(), )*
                }
            }

            fn settle(&mut self) {
                self.known = true;
                match &mut self.value {
                    Value::Nothing => self.known = false,
                    $( Value::$variant(value) => value.settle(), )*
                }
            }

            fn roll_back(&mut self) {
                if !self.known {
                    self.value = Value::Nothing;
                }
                match &mut self.value {
                    Value::Nothing => {}
                    $( Value::$variant(value) => value.roll_back(), )*
                }
            }

            fn apply(&mut self, delta: Delta) -> Result<(), ApplyError> {
                self.become_type_of(&delta);
                self.known = true;
                match &mut self.value {
                    Value::Nothing => Err(mismatch::<Self>(&delta)),
                    $( Value::$variant(value) => value.apply(delta), )*
                }
            }
        }
    };
}

types! {
    gcounter, as_gcounter: GCounter(GCounter), Gcounter;
    pncounter, as_pncounter: PNCounter(PNCounter), Pncounter;
    gset, as_gset: GSet(GSet<Raw>), Gset;
    orset, as_orset: ORSet(ORSet<Raw>), Orset;
    lwwregister, as_lwwregister: LWWRegister(LWWRegister<Raw>), Lwwregister;
    flag, as_flag: Flag(Flag), Flag;
    ormap, as_ormap: ORMap(ORMap<Raw, Untyped>), Ormap;
    vote, as_vote: Vote(Vote), Vote;
}
