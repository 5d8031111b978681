//! The requests of the shopping cart service. Both samples have the same shapes.

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

use crate::random::Random;

const PRODUCTS: [&str; 8] = [
    "Bread", "Milk", "Apple", "Orange", "Flour", "Steak", "Chicken", "Coke",
];
const MAX_QUANTITY: u64 = 10;

#[derive(Clone, PartialEq, Message)]
struct AddLineItem {
    #[prost(string, tag = "1")]
    user_id: String,
    #[prost(string, tag = "2")]
    product_id: String,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(int32, tag = "4")]
    quantity: i32,
}

#[derive(Clone, PartialEq, Message)]
struct GetShoppingCart {
    #[prost(string, tag = "1")]
    user_id: String,
}

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// GetCart.
    Read,
    /// AddItem.
    Write,
}

/// A request as it goes into an HTTP/2 stream.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) kind: Kind,
    /// The gRPC frame.
    pub(crate) frame: Bytes,
}

/// Reads a user's cart.
pub(crate) fn read(user: u64) -> Request {
    Request {
        kind: Kind::Read,
        frame: frame(&GetShoppingCart {
            user_id: format!("user{user}"),
        }),
    }
}

/// Chooses what to do, to which cart, with which product.
pub(crate) fn choose(random: &mut Random, users: u64, read_ratio: f64) -> Request {
    let user = 1 + random.below(users);
    if random.unit() < read_ratio {
        return read(user);
    }
    // The remainders are small.
    let product = random.below(PRODUCTS.len() as u64) as usize;
    let quantity = 1 + random.below(MAX_QUANTITY) as i32;
    let item = AddLineItem {
        user_id: format!("user{user}"),
        product_id: (product + 1).to_string(),
        name: PRODUCTS[product].to_owned(),
        quantity,
    };
    Request {
        kind: Kind::Write,
        frame: frame(&item),
    }
}

fn frame(message: &impl Message) -> Bytes {
    let size = message.encoded_len();
    let mut frame = BytesMut::with_capacity(5 + size);
    frame.put_u8(0);
    // A request has some dozens of bytes.
    frame.put_u32(size as u32);
    message.encode_raw(&mut frame);
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_keep_the_ratio_and_stay_in_range() {
        let mut random = Random::new(7);
        let requests: Vec<_> = (0..10_000).map(|_| choose(&mut random, 3, 0.9)).collect();
        let reads = requests
            .iter()
            .filter(|request| request.kind == Kind::Read)
            .count();
        assert!((8_800..9_200).contains(&reads), "{reads} of 10000 are reads");
        for request in requests.iter().filter(|request| request.kind == Kind::Write) {
            let item = AddLineItem::decode(request.frame.slice(5..)).unwrap();
            assert!(["user1", "user2", "user3"].contains(&item.user_id.as_str()));
            assert!((1..=10).contains(&item.quantity), "quantity {}", item.quantity);
            let index: usize = item.product_id.parse().unwrap();
            assert_eq!(PRODUCTS[index - 1], item.name);
        }
    }
}
