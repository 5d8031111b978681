//! Requests of any form.

use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn bodies_and_queries_never_break_the_server(
        body in prop_oneof![
            ".{0,60}",
            r#"\{("cartId"|"line"|"lines"|"at"|"prices"|"x"):(\{\}|\[\]|1|"1"|null|true|\{"quantity":1e9\})\}"#,
        ],
        query in "([a-z0-9.=&%+]{0,30}|(i32|line|tags|at|map)=[a-zA-Z0-9%]{0,6})",
    ) {
        run(async {
            let client = serving(|_, _| one("")).await;
            let answer = send(&client, "POST", "/carts/c/items", &body).await;
            assert!([200, 400].contains(&answer.status.as_u16()), "{answer:?}");
            let answer = get(&client, &format!("/find/c?{query}")).await;
            assert!([200, 400].contains(&answer.status.as_u16()), "{answer:?}");
        });
    }
}
