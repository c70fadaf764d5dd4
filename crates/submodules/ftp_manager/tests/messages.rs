//! The wire: recorded messages, and requests that are none.

mod common;

use common::Tree;
use edeposit_amqpdaemon::{Exception, React, Sendback};
use edeposit_ftp_manager::FtpManager;
use edeposit_ftp_manager::messages::{Request, Response, UserSettings, Userlist};
use edeposit_serializers::{Value, from_str, to_value};
use edeposit_testkit::wire::{again, check_recorded};
use serde_json::json;

#[test]
fn all_recorded_messages() {
    check_recorded("ftp", 16, |kind| match kind {
        "AddUser"
        | "RemoveUser"
        | "ChangePassword"
        | "ListRegisteredUsers"
        | "SetUserSettings"
        | "GetUserSettings" => Some(again::<Request>),
        "Userlist" => Some(again::<Userlist>),
        "UserSettings" => Some(again::<UserSettings>),
        "bool" => Some(|wire| to_value(&Response::Done(from_str(wire)?))),
        // ftp_monitord's
        _ => None,
    });
}

async fn refused(tree: &Tree, body: &Value) -> Exception {
    let (sendback, _) = Sendback::collecting();
    let manager = FtpManager::new(tree.settings.clone());
    let body = body.to_string().into_bytes();
    React::react(&manager, body, sendback).await.unwrap_err()
}

/// Defect 9 among them: only the six requests can be named.
#[tokio::test]
async fn what_is_no_request() {
    let tree = Tree::new();
    let switches = json!({"__nt_name": "SetUserSettings", "username": "x", "SAME_NAME_DIR_PAIRING": true,
        "SAME_DIR_PAIRING": true, "ISBN_PAIRING": true, "CREATE_IMPORT_LOG": true});
    for (body, name, message) in [
        (
            json!({"__nt_name": "AddUser", "username": "x"}),
            "TypeError",
            "__new__() takes exactly 3 arguments (2 given)",
        ),
        (
            json!({"__nt_name": "ChangePassword", "username": "x"}),
            "TypeError",
            "__new__() takes exactly 3 arguments (2 given)",
        ),
        (
            switches.clone(),
            "TypeError",
            "__new__() takes exactly 7 arguments (6 given)",
        ),
        (
            json!({"__nt_name": "ListRegisteredUsers", "x": 1}),
            "TypeError",
            "__new__() got an unexpected keyword argument 'x'",
        ),
        (
            json!({"__nt_name": "RemoveUser", "username": null}),
            "TypeError",
            "",
        ),
        (
            json!({"__nt_name": "EbookFile", "filename": "/etc/x", "raw_data": ""}),
            "KeyError",
            "EbookFile",
        ),
        (
            json!({"__nt_name": "file", "name": "/etc/x"}),
            "KeyError",
            "file",
        ),
        (
            json!("x"),
            "ValueError",
            "Unknown type of request: '<type 'str'>'!",
        ),
    ] {
        let told = refused(&tree, &body).await;
        assert_eq!(told.name, name, "{body}: {told}");
        assert!(told.message.starts_with(message), "{body}: {told}");
    }
    for (value, name) in [
        (json!("true"), "TypeError"),
        (json!(2), "TypeError"),
        (json!([]), "TypeError"),
        (json!({}), "TypeError"),
        (json!(0.5), "TypeError"),
        (json!(null), "KeyError"),
        (json!(1), "KeyError"),
        (json!(false), "KeyError"),
    ] {
        let mut body = switches.clone();
        body["LEAVE_BAD_FILES"] = value.clone();
        let told = refused(&tree, &body).await;
        assert_eq!(told.name, name, "{value}: {told}");
    }
}

/// Neither a request's debug output nor an exception tells a password.
#[tokio::test]
async fn passwords_stay_secret() {
    let tree = Tree::new();
    let body = json!({"__nt_name": "AddUser", "username": "a/b", "password": "Tri8sovy\n"});
    let request: Request = from_str(&body.to_string()).unwrap();
    assert!(!format!("{request:?}").contains("Tri8sovy"));
    for user in ["a/b", "argo"] {
        let mut body = body.clone();
        body["username"] = json!(user);
        let told = refused(&tree, &body).await;
        assert!(!format!("{told:?}").contains("Tri8sovy"), "{told:?}");
    }
}
