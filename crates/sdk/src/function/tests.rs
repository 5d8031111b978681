use super::*;
use crate::doc_example::{Count, Increase, Read, counter};
use crate::value::Context;
use crate::{Failure, Reply};

struct CounterEntity;

impl counter::ValueEntity for CounterEntity {
    type State = Count;

    fn increase(&self, _: Increase, _: &mut Context<Count>) -> Result<Reply<Count>, Failure> {
        Err("read only".into())
    }

    fn read(&self, _: Read, _: &mut Context<Count>) -> Result<Reply<Count>, Failure> {
        Ok(Count::default().into())
    }
}

fn function() -> UserFunction {
    UserFunction::new("shop", "1.2")
}

#[test]
fn discovery_says_what_is_served_and_asks_for_metadata() {
    let entity = counter::value("counts", CounterEntity).passivation_timeout(Duration::from_secs(3));
    let spec = function().with(entity).declare().unwrap().spec;
    let timeout = TimeoutPassivationStrategy { timeout: 3000 };
    let expected = Entity {
        entity_type: "cloudstate.valueentity.ValueEntity".into(),
        service_name: "cloudstate_sdk_example.Counter".into(),
        persistence_id: "counts".into(),
        passivation_strategy: Some(EntityPassivationStrategy {
            strategy: Some(Strategy::Timeout(timeout)),
        }),
        command_metadata: true,
    };
    assert_eq!(spec.entities, [expected]);
    let info = spec.service_info.unwrap();
    assert_eq!(
        (info.service_name.as_str(), info.service_version.as_str()),
        ("shop", "1.2")
    );
    assert_eq!((info.protocol_major_version, info.protocol_minor_version), (0, 2));
    assert_eq!(info.support_library_name, "cloudstate-sdk");
}

#[test]
fn without_a_timeout_the_proxy_decides() {
    let spec = function()
        .with(counter::value("counts", CounterEntity))
        .declare()
        .unwrap()
        .spec;
    assert_eq!(spec.entities[0].passivation_strategy, None);
}

#[test]
fn mistakes_are_named() {
    let entity = || counter::value("counts", CounterEntity);
    assert_eq!(function().declare().err(), Some(DeclarationError::Empty));
    let twice = function().with(entity()).with(entity()).declare().err();
    assert_eq!(twice, Some(DeclarationError::DuplicateService(counter::NAME)));
    let empty = function().with(counter::value("", CounterEntity)).declare().err();
    assert_eq!(empty, Some(DeclarationError::EmptyPersistenceId(counter::NAME)));
    let other = crate::Service::new("other.Service", &[]);
    let mut second = entity();
    second.service = other;
    let shared = function()
        .with(entity())
        .with(second)
        .declare()
        .err()
        .unwrap()
        .to_string();
    assert!(
        shared.contains("counts") && shared.contains("other.Service"),
        "{shared}"
    );
}
