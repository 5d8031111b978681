//! The row that benchmarks and tests of load write.

use bytes::Bytes;
use cloudstate_store::Payload;

/// A payload of 200 bytes with a type url of usual length.
pub fn row(number: u64) -> Payload {
    let mut value = vec![b'x'; 200];
    value[..8].copy_from_slice(&number.to_le_bytes());
    Payload {
        type_url: "type.googleapis.com/shoppingcart.persistence.ItemAdded".to_owned(),
        value: Bytes::from(value),
    }
}
