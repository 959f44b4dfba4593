//! Firehose frames, and the verification of commits.

use arroba_core::event::{self, CommitEvent, Frame};
use arroba_core::repo::verify::{self, Order};

use crate::{repository, reseal};

/// Frames decode to what encodes to the same event; commits are verified as they are, and with their blocks sealed
/// anew, so that mutations reach the tree. All orders of undoing that succeed lead to the same tree.
pub fn target(data: &[u8]) {
    let Ok(frame) = Frame::decode(data) else { return };
    let again = match &frame {
        Frame::Commit(seq, event) => event::commit(event).fill(*seq),
        Frame::Sync(seq, event) => event::sync(event).fill(*seq),
        Frame::Identity(seq, event) => event::identity(event).fill(*seq),
        Frame::Account(seq, event) if !event.active => event::account(event).fill(*seq),
        _ => return,
    };
    assert_eq!(Frame::decode(&again).as_ref(), Ok(&frame));
    match frame {
        Frame::Sync(_, event) => drop(verify::sync(&event, &repository::owner(), &repository::public_key())),
        Frame::Commit(_, event) => {
            undo(&event);
            let blocks = reseal::reseal(&event.blocks);
            let mut event = CommitEvent { blocks: blocks.into(), repo: repository::owner(), ..event };
            if let Ok(car) = arroba_core::car::read_all(&event.blocks, &arroba_core::car::Limits::SLICE) {
                event.commit = car.roots.first().copied().unwrap_or(event.commit);
            }
            undo(&event);
        }
        _ => {}
    }
}

fn undo(event: &CommitEvent) {
    let verified = [Order::Relay, Order::Reversed, Order::Given]
        .map(|order| verify::commit(event.clone(), &repository::owner(), &repository::public_key(), order));
    let [first, rest @ ..] = verified.map(|result| result.map(|verified| verified.prev_data));
    for other in rest {
        if let (Ok(one), Ok(other)) = (&first, other) {
            assert_eq!(*one, other);
        }
    }
}

/// What mutation starts from.
pub fn seeds() -> Vec<Vec<u8>> {
    repository::frames()
}
