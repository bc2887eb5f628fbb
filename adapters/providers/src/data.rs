//! The data part where a vendor has little room for it.

use nightjar_push::PushData;
use serde_json::{Map, Value};

/// The data part as far as it `fits`: with as many of the newest notifications to take back as
/// there is room for, and without the sender's own keys where they leave too little. What is left
/// out of the first is named again later. Our own keys are always there: ids are short.
pub(crate) fn fitting(
    data: &PushData,
    fits: impl Fn(&Map<String, Value>) -> bool,
) -> Map<String, Value> {
    // A request that shows nothing is for what it takes back.
    let named_min = usize::from(data.mid.is_none()).min(data.wd.len());
    let part = |custom: &Option<String>, named: usize| {
        let wd = data.wd.iter().skip(data.wd.len() - named).cloned().collect();
        PushData { custom: custom.clone(), wd, ..data.clone() }.to_json()
    };
    for custom in [&data.custom, &None] {
        for named in (named_min..=data.wd.len()).rev() {
            let part = part(custom, named);
            if fits(&part) {
                return part;
            }
        }
    }
    part(&None, named_min)
}

#[cfg(test)]
mod tests {
    use nightjar_model::NotificationId;

    use super::*;
    use crate::samples;

    fn length(part: &Map<String, Value>) -> usize {
        Value::Object(part.clone()).to_string().len()
    }

    #[test]
    fn the_oldest_withdrawals_go_first_then_the_senders_keys() {
        let mut data = samples::alert("vivo").data;
        data.wd = ["m.1", "m.2", "m.3"].map(|id| NotificationId::parse(id).unwrap()).to_vec();
        let whole = length(&data.to_json());
        let within = |max: usize| fitting(&data, |part| length(part) <= max);
        assert_eq!(within(whole), data.to_json());
        let less = within(whole - 1);
        assert_eq!(
            (&less["wd"], &less["thread"]),
            (&["m.2", "m.3"].as_slice().into(), &"lunch".into())
        );
        // With none of them the sender's keys still take too much: without those all find room.
        let bare = PushData { custom: None, ..data.clone() }.to_json();
        assert_eq!(within(length(&bare)), bare);
        let less = within(length(&bare) - 1);
        assert_eq!((&less["wd"], less.get("thread")), (&["m.2", "m.3"].as_slice().into(), None));
        let least = within(10);
        assert_eq!((least.get("wd"), &least["nid"]), (None, &bare["nid"]));
    }

    #[test]
    fn a_withdrawal_keeps_the_newest() {
        let mut data = samples::withdrawal("xiaomi").data;
        data.wd = ["m.1", "m.2"].map(|id| NotificationId::parse(id).unwrap()).to_vec();
        let whole = length(&data.to_json());
        for max in [whole - 1, 1] {
            let part = fitting(&data, |part| length(part) <= max);
            assert_eq!(part["wd"], serde_json::json!(["m.2"]));
        }
    }
}
