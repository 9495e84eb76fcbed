//! The contract of the ledger's service, as reflection and health tell it.

use prost::Message;
use prost_types::method_options::IdempotencyLevel;
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use sunmi_trade::api::pb;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::world::World;

const SERVICE: &str = "sunmi.trade.v1.RefundLedgerService";

fn file() -> FileDescriptorProto {
    let all = FileDescriptorSet::decode(pb::DESCRIPTORS).expect("descriptors");
    let name = "sunmi/trade/v1/refund_ledger_service.proto";
    all.file.into_iter().find(|file| file.name() == name).expect("the file")
}

#[test]
fn what_is_answered_once_has_no_side_effects() {
    let service = file().service.remove(0);
    let methods: Vec<_> = service
        .method
        .iter()
        .map(|method| {
            let level = method.options.clone().unwrap_or_default().idempotency_level();
            (method.name().to_owned(), method.server_streaming(), level)
        })
        .collect();
    let unary = |name: &str| (name.to_owned(), false, IdempotencyLevel::NoSideEffects);
    let watch = ("WatchRefunds".to_owned(), true, IdempotencyLevel::IdempotencyUnknown);
    assert_eq!(methods, [unary("GetRefund"), unary("ListRefunds"), watch]);
}

#[test]
fn everything_in_it_is_documented() {
    let file = file();
    let info = file.source_code_info.as_ref().expect("comments");
    let documented = |path: &[i32]| {
        let place = info.location.iter().find(|place| place.path == path);
        place.is_some_and(|place| !place.leading_comments().trim().is_empty())
    };
    let at = |index: usize| i32::try_from(index).unwrap();
    for (index, message) in file.message_type.iter().enumerate() {
        assert!(documented(&[4, at(index)]), "{}", message.name());
        for (field, it) in message.field.iter().enumerate() {
            let name = (message.name(), it.name());
            assert!(documented(&[4, at(index), 2, at(field)]), "{name:?}");
        }
    }
    for (value, it) in file.enum_type[0].value.iter().enumerate() {
        assert!(documented(&[5, 0, 2, at(value)]), "{}", it.name());
    }
}

#[tokio::test]
async fn health_tells_of_it() {
    let world = World::new().await;
    let server = world.serve().await;
    let mut health = HealthClient::new(server.channel().await);
    let request = HealthCheckRequest { service: SERVICE.to_owned() };
    let status = health.check(request).await.unwrap().into_inner().status();
    assert_eq!(status, ServingStatus::Serving);
}
