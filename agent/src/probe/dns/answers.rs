//! What an answer says of the name that was asked for, through its aliases.

use haidang_probe::ask::dns::{Record, canonical};
use haidang_probe::outcome::Failure;
use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RData, RecordType};

/// Most aliases (CNAME) from the name asked for to the one that has the records.
pub const MAX_ALIASES: usize = 16;

/// The values of the records of the type asked for, as they are compared; [`Failure::Loop`] where the aliases end nowhere.
pub fn of(message: &Message, query: &Query, record: Record) -> Result<Vec<String>, Failure> {
    let name = last_name(message, query)?;
    let answers = message.answers.iter().filter(|answer| answer.record_type() == query.query_type);
    let own = answers.filter(|answer| answer.name.eq_ignore_root(name));
    Ok(own.filter_map(|answer| canonical(record, &answer.data.to_string())).collect())
}

/// The name at the end of the aliases.
fn last_name<'a>(message: &'a Message, query: &'a Query) -> Result<&'a Name, Failure> {
    let mut name = &query.name;
    if query.query_type == RecordType::CNAME {
        return Ok(name);
    }
    for _ in 0..=MAX_ALIASES {
        let alias = message.answers.iter().find_map(|record| match &record.data {
            RData::CNAME(alias) if record.name.eq_ignore_root(name) => Some(&alias.0),
            _ => None,
        });
        match alias {
            None => return Ok(name),
            Some(alias) => name = alias,
        }
    }
    Err(Failure::Loop)
}
