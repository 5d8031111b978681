//! Sets.

use std::collections::BTreeMap;

use crate::any::Any;
use crate::change::SetChange;
use crate::dots::Dots;
use crate::error::Error;
use crate::slot::Content;
use crate::writer::Writer;

type Elements = BTreeMap<Any, Dots>;

/// Adds elements. One that is there gets a new write, so that it survives a concurrent removal.
pub(super) fn add(elements: &Elements, added: &[Any], writer: &mut Writer<'_>) -> Result<Content, Error> {
    let mut delta = Elements::new();
    add_to(&mut delta, elements, added, writer)?;
    Ok(Content::Elements(delta))
}

/// Clears, removes, adds, in this order.
pub(super) fn change(
    elements: &Elements,
    change: &SetChange,
    writer: &mut Writer<'_>,
) -> Result<Content, Error> {
    let mut delta = Elements::new();
    if change.cleared {
        elements.values().for_each(|dots| writer.cover(dots));
    } else {
        for element in &change.removed {
            if let Some(dots) = elements.get(element) {
                writer.cover(dots);
                delta.insert(element.clone(), Dots::default());
            }
        }
    }
    add_to(&mut delta, elements, &change.added, writer)?;
    Ok(Content::Elements(delta))
}

fn add_to(
    delta: &mut Elements,
    elements: &Elements,
    added: &[Any],
    writer: &mut Writer<'_>,
) -> Result<(), Error> {
    for element in added {
        let place = delta.entry(element.clone()).or_default();
        if place.is_empty() {
            if let Some(dots) = elements.get(element) {
                writer.cover(dots);
            }
            *place = writer.mark()?;
        }
    }
    Ok(())
}
