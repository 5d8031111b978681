//! Actions in the four shapes.

use bytes::Bytes;

use crate::harness::{JOB, LOG, add, ask, read, run, start};

#[test]
fn all_four_shapes_are_served() {
    run(async {
        let (_proxy, _function, client) = start(&[]).await;
        assert_eq!(client.text(JOB, add("", "one")).await, "one");

        let answer = client.call("/whole.Job/Out", &ask("", "count", "1000")).await;
        assert_eq!(answer.status().0, 0);
        let expected: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
        assert_eq!(answer.texts(), expected);

        let mut call = client.open("/whole.Job/In").await;
        for text in ["a", "b", "c"] {
            call.send(&add("", text));
        }
        call.finish();
        assert_eq!(call.answer().await.text(), "a,b,c");

        let mut call = client.open("/whole.Job/In").await;
        call.send(&add("", "twice"));
        call.finish();
        let (code, text) = call.answer().await.status();
        assert_eq!(code, 13, "{text}");
        assert!(
            text.contains("/whole.Job/In has one reply, and the user function sent more"),
            "{text}"
        );

        let mut call = client.open("/whole.Job/Both").await;
        call.send(&add("", "ping"));
        let mut replies = (&mut call.response).await.unwrap().into_body();
        let first = replies.data().await.unwrap().unwrap();
        assert_eq!(
            first,
            crate::harness::client::frame(&crate::harness::Done { text: "ping".into() })
        );
        call.send(&add("", "pong"));
        assert!(replies.data().await.is_some(), "a second reply");
        call.finish();
        assert!(replies.data().await.is_none());
        assert_eq!(replies.trailers().await.unwrap().unwrap()["grpc-status"], "0");
    });
}

#[test]
fn a_client_that_cancels_a_stream_cancels_it_at_the_function() {
    run(async {
        let (_proxy, function, client) = start(&[]).await;
        let mut endless = client.begin("/whole.Job/Out", &ask("", "endless", "")).await;
        let replies = (&mut endless.response).await.unwrap().into_body();
        drop((endless, replies));
        function.saw("call Out cut off").await;

        let mut upload = client.open("/whole.Job/In").await;
        upload.send(&add("", "first"));
        function.saw("item first").await;
        drop(upload);
        function.saw("call In cut off").await;
        assert_eq!(client.text(JOB, add("", "well")).await, "well");
    });
}

#[test]
fn a_client_that_cancels_a_unary_call_cancels_it_at_the_function() {
    run(async {
        let (_proxy, function, client) = start(&[]).await;
        let call = client.begin(JOB, &ask("", "never answer", "")).await;
        function.saw("job: never answer ").await;
        drop(call);
        function.saw("call Act cut off").await;
    });
}

#[test]
fn a_declined_item_ends_a_stream_with_its_text() {
    run(async {
        let (_proxy, _function, client) = start(&[]).await;
        for (what, text, status) in [
            ("decline", "enough", (2, "enough")),
            ("end with a status", "gone", (5, "gone")),
            ("end the stream", "", (0, "")),
        ] {
            let mut call = client.open("/whole.Job/Both").await;
            call.send(&add("", "fine"));
            call.send(&ask("", what, text));
            let answer = call.answer().await;
            assert_eq!(answer.texts(), ["fine"], "{what}");
            assert_eq!(answer.status(), (status.0, status.1.to_owned()), "{what}");
        }
    });
}

#[test]
fn every_item_of_a_stream_may_forward_and_have_effects() {
    run(async {
        let (_proxy, _function, client) = start(&[]).await;
        let mut call = client.open("/whole.Job/Both").await;
        call.send(&read("").forward(LOG, add("a", "1")));
        call.send(&add("", "2").effect(LOG, add("a", "effect"), true));
        call.send(&read("").forward(LOG, read("a")));
        call.finish();
        assert_eq!(call.answer().await.texts(), ["1", "2", "1,effect"]);
    });
}

#[test]
fn a_stream_without_items_is_served() {
    run(async {
        let (_proxy, _function, client) = start(&[]).await;
        let mut call = client.open("/whole.Job/Both").await;
        call.requests.send_data(Bytes::new(), true).unwrap();
        let answer = call.answer().await;
        assert_eq!((answer.status().0, answer.texts().len()), (0, 0));
    });
}
