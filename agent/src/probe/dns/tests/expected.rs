//! What a server is expected to answer: codes, values, and aliases that lead to them.

use super::{ask_for, serve, told};
use crate::probe::Answer;
use haidang_probe::ask::Question;
use haidang_probe::check::{Check, ProbeKind, Span};
use haidang_probe::metric::Metric;
use haidang_probe::outcome::Failure;
use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType, rdata};
use std::net::SocketAddr;
use std::time::Duration;

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn alias(from: &str, to: &str) -> Record {
    Record::from_rdata(name(from), 60, RData::CNAME(rdata::CNAME(name(to))))
}

fn address(of: &str, last: u8) -> Record {
    Record::from_rdata(name(of), 60, RData::A(rdata::A::new(192, 0, 2, last)))
}

/// What a server with a few names says.
fn zone(question: &Message) -> Vec<Vec<u8>> {
    let mut reply = Message::response(question.metadata.id, OpCode::Query);
    reply.queries.clone_from(&question.queries);
    reply.metadata.authoritative = true;
    let asked = &question.queries[0];
    let text = asked.name.to_ascii().to_ascii_lowercase();
    let answers = match (text.trim_end_matches('.'), asked.query_type) {
        ("portal.test", RecordType::A) => vec![address("portal.test.", 80), address("portal.test.", 81)],
        ("www.test", RecordType::A) => {
            vec![
                address("portal.test.", 80),
                alias("cdn.test.", "Portal.test."),
                alias("www.test.", "cdn.test."),
            ]
        }
        ("www.test", RecordType::CNAME) => vec![alias("www.test.", "cdn.test.")],
        ("circle.test", _) => vec![alias("circle.test.", "b.test."), alias("b.test.", "circle.test.")],
        ("long.test", _) => {
            let step = |nth: u32| alias(&format!("a{nth}.test."), &format!("a{}.test.", nth + 1));
            [alias("long.test.", "a0.test.")].into_iter().chain((0..20).map(step)).collect()
        }
        ("stray.test", _) => vec![address("bank.test.", 66)],
        ("mail.test", RecordType::MX) => {
            let mail = rdata::MX::new(10, name("Mx.test."));
            vec![Record::from_rdata(name("mail.test."), 60, RData::MX(mail))]
        }
        ("text.test", RecordType::TXT) => {
            let text = rdata::TXT::new(vec!["v=spf1 ".into(), "-all".into()]);
            vec![Record::from_rdata(name("text.test."), 60, RData::TXT(text))]
        }
        ("refused.test", _) => {
            reply.metadata.response_code = ResponseCode::Refused;
            Vec::new()
        }
        _ => {
            reply.metadata.response_code = ResponseCode::NXDomain;
            Vec::new()
        }
    };
    for answer in answers {
        reply.add_answer(answer);
    }
    vec![reply.to_vec().unwrap()]
}

async fn ask(server: SocketAddr, wanted: &str, with: &[(&str, &str)]) -> Answer {
    let second = Span(Duration::from_secs(1));
    let check = Check {
        id: None,
        name: "dns".into(),
        probe: ProbeKind::Dns,
        target: format!("{server}/{wanted}"),
        every: second,
        timeout: second,
        with: with.iter().copied().collect(),
    };
    let Ok(Question::Dns(question)) = Question::of(&check) else { panic!("{check:?} is no question") };
    ask_for(&question).await
}

#[tokio::test]
async fn a_code_is_good_when_the_check_says_so() {
    let (server, task) = serve(zone).await;
    for (wanted, rcode, result) in [
        ("gone.test", "nxdomain", Ok(())),
        ("gone.test", "3", Ok(())),
        ("gone.test", "noerror,refused", Err(Failure::Status)),
        ("refused.test", "noerror,refused", Ok(())),
        ("portal.test", "noerror", Ok(())),
        ("portal.test", "nxdomain", Err(Failure::Status)),
    ] {
        let answer = ask(server, wanted, &[("rcode", rcode)]).await;
        assert_eq!(answer.result.map(drop), result, "{wanted} {rcode}");
    }
    task.abort();
}

#[tokio::test]
async fn one_of_the_values_expected_is_enough_and_none_is_a_failure() {
    let (server, task) = serve(zone).await;
    for (wanted, value, good) in [
        ("portal.test", "192.0.2.81", true),
        ("portal.test", "198.51.100.1, 192.0.2.80", true),
        ("portal.test", "198.51.100.1", false),
        ("www.test", "192.0.2.80", true),
        ("www.test?type=CNAME", "CDN.test", true),
        ("mail.test?type=MX", "10 mx.test", true),
        ("mail.test?type=MX", "20 mx.test", false),
        ("text.test?type=TXT", "v=spf1 -all", true),
    ] {
        let answer = ask(server, wanted, &[("answer", value)]).await;
        let result = if good { Ok(()) } else { Err(Failure::Body) };
        assert_eq!(answer.result.map(drop), result, "{wanted} {value}");
    }
    task.abort();
}

#[tokio::test]
async fn aliases_that_end_nowhere_are_a_loop() {
    let (server, task) = serve(zone).await;
    for wanted in ["circle.test", "long.test"] {
        let answer = ask(server, wanted, &[]).await;
        assert_eq!(
            (answer.result, told(&answer, Metric::DnsAnswers)),
            (Err(Failure::Loop), Some(0.0)),
            "{wanted}"
        );
    }
    task.abort();
}

#[tokio::test]
async fn records_of_other_names_are_no_answer() {
    let (server, task) = serve(zone).await;
    let answer = ask(server, "stray.test", &[]).await;
    assert_eq!((answer.result, told(&answer, Metric::DnsAnswers)), (Err(Failure::Body), Some(0.0)));
    task.abort();
}

#[tokio::test]
async fn an_answer_tells_its_flags() {
    let (server, task) = serve(zone).await;
    let answer = ask(server, "portal.test", &[]).await;
    let flag = |name: &str| {
        let flags = answer.samples.iter().filter(|sample| sample.metric == Metric::DnsFlag);
        flags.clone().find(|sample| sample.part == name).map(|sample| sample.value)
    };
    assert_eq!((flag("aa"), flag("tc"), flag("ra")), (Some(1.0), Some(0.0), Some(0.0)));
    task.abort();
}
