use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn machine() -> Machine {
    Machine::new(Backoff::default())
}

fn spec(proto: &'static [u8]) -> EntitySpec {
    EntitySpec {
        proto: proto.into(),
        ..EntitySpec::default()
    }
}

fn accept(machine: &mut Machine, spec: EntitySpec) -> Step {
    let step = machine.handle(Event::Answered(spec.clone()), 0.0);
    assert_eq!(step, Step::only(Next::Judge(spec.clone())));
    machine.handle(
        Event::Judged(spec, Verdict::Accepted { warnings: Vec::new() }),
        0.0,
    )
}

fn refuse(machine: &mut Machine, reason: &str) -> Step {
    let step = machine.handle(Event::Answered(spec(b"bad")), 0.0);
    assert_eq!(step.next, Next::Judge(spec(b"bad")));
    machine.handle(
        Event::Judged(
            spec(b"bad"),
            Verdict::Refused {
                reason: reason.to_owned(),
            },
        ),
        0.0,
    )
}

fn found(declaration: u64) -> Step {
    Step::with(Discovery::Found { declaration }, Next::WatchForLoss)
}

#[test]
fn an_accepted_function_is_only_watched() {
    assert_eq!(accept(&mut machine(), spec(b"a")), found(1));
}

#[test]
fn warnings_of_an_accepted_declaration_are_reported() {
    let verdict = Verdict::Accepted {
        warnings: vec!["a".to_owned(), "b".to_owned()],
    };
    let step = machine().handle(Event::Judged(spec(b"a"), verdict), 0.0);
    assert_eq!(step.reports, ["a", "b"]);
}

#[test]
fn failures_wait_longer_each_time_and_say_why() {
    let mut machine = machine();
    for seconds in [1, 2, 4, 8, 10, 10] {
        let step = machine.handle(Event::Failed("refused".to_owned()), 0.0);
        let state = Discovery::Searching {
            reason: Some("refused".to_owned()),
        };
        assert_eq!(step, Step::with(state, Next::Pause(SECOND * seconds)));
        assert_eq!(machine.handle(Event::Elapsed, 0.0), Step::only(Next::Discover));
    }
}

#[test]
fn chance_lengthens_a_pause() {
    let step = machine().handle(Event::Failed(String::new()), 0.5);
    assert_eq!(step.next, Next::Pause(SECOND.mul_f64(1.1)));
}

#[test]
fn an_unchanged_declaration_after_a_loss_is_not_judged_again() {
    let mut machine = machine();
    accept(&mut machine, spec(b"a"));
    assert_eq!(machine.handle(Event::Lost(SECOND * 60), 0.0).next, Next::Discover);
    assert_eq!(machine.handle(Event::Answered(spec(b"a")), 0.0), found(1));
}

#[test]
fn a_changed_declaration_after_a_loss_is_judged_and_counted() {
    let mut machine = machine();
    accept(&mut machine, spec(b"a"));
    machine.handle(Event::Lost(SECOND * 60), 0.0);
    assert_eq!(accept(&mut machine, spec(b"b")), found(2));
}

#[test]
fn a_function_that_was_up_for_a_while_is_asked_at_once_when_lost() {
    let mut machine = machine();
    for _ in 0..5 {
        machine.handle(Event::Failed(String::new()), 0.0);
    }
    accept(&mut machine, spec(b"a"));
    let step = machine.handle(Event::Lost(SECOND), 0.0);
    assert!(matches!(
        step.state,
        Some(Discovery::Searching { reason: Some(_) })
    ));
    assert_eq!(step.next, Next::Discover);
    assert_eq!(
        machine.handle(Event::Failed(String::new()), 0.0).next,
        Next::Pause(SECOND)
    );
}

#[test]
fn a_function_that_ends_right_after_its_answer_gets_growing_pauses() {
    let mut machine = machine();
    accept(&mut machine, spec(b"a"));
    for seconds in [1, 2, 4] {
        machine.handle(Event::Answered(spec(b"a")), 0.0);
        let step = machine.handle(Event::Lost(SECOND / 2), 0.0);
        assert_eq!(step.next, Next::Pause(SECOND * seconds));
    }
}

#[test]
fn a_refusal_is_reported_once_and_tried_again_with_growing_pauses() {
    let mut machine = machine();
    let step = refuse(&mut machine, "no entities");
    assert_eq!(step.reports, ["no entities"]);
    assert_eq!(
        step.state,
        Some(Discovery::Refused {
            reason: "no entities".to_owned()
        })
    );
    assert_eq!(step.next, Next::PauseOrLoss(SECOND));
    let step = refuse(&mut machine, "no entities");
    assert_eq!(
        (step.reports.len(), step.next),
        (0, Next::PauseOrLoss(SECOND * 2))
    );
    assert_eq!(refuse(&mut machine, "no keys").reports, ["no keys"]);
}

#[test]
fn a_restarted_function_hears_of_its_refusal_again() {
    let mut machine = machine();
    refuse(&mut machine, "no entities");
    assert_eq!(machine.handle(Event::Lost(SECOND), 0.0).next, Next::Discover);
    assert_eq!(refuse(&mut machine, "no entities").reports, ["no entities"]);
}

#[test]
fn a_declaration_served_before_a_refusal_is_judged_again() {
    let mut machine = machine();
    accept(&mut machine, spec(b"a"));
    refuse(&mut machine, "no entities");
    assert_eq!(accept(&mut machine, spec(b"a")), found(2));
}
