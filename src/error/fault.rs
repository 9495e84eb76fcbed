//! The table: for each fault, what the caller is told and what this server does about it.

/// The canonical gRPC status codes that this server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "google/rpc/code.proto documents each value")]
pub enum Code {
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    Internal,
    Unavailable,
    Unauthenticated,
}

impl Code {
    /// Its canonical name, such as `NOT_FOUND`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::NotFound => "NOT_FOUND",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Aborted => "ABORTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
            Self::Unauthenticated => "UNAUTHENTICATED",
        }
    }
}

/// What a fault of a refund call says of the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRefund {
    /// A refusal of the account or the deployment, which any copy of the request would have met
    /// alike, or nothing was sent: no money moved.
    NotApplied,
    /// A refusal of the trade, which the second copy of an executed request would get too: no
    /// money moved, once looks bear it out.
    Look,
    /// This call sent nothing; of earlier calls it says nothing.
    NotAttempted,
    /// The refund may have happened.
    Unknown,
}

/// Which calls may be made again, by this server, after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// None: another attempt would fare the same.
    Never,
    /// Reads; a refund may have been processed.
    Reads,
    /// Reads and refunds: no connection was made, so nothing was sent.
    Any,
}

/// What a caller should do after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the contract documents each value")]
pub enum NextStep {
    FixRequest,
    Retry,
    RepeatSameRefund,
    ResolveOpenRefund,
    FixMerchantAccount,
    FixDeployment,
    AskSunmi,
}

impl NextStep {
    /// Its name in the contract, without prefix.
    pub fn name(self) -> &'static str {
        match self {
            Self::FixRequest => "FIX_REQUEST",
            Self::Retry => "RETRY",
            Self::RepeatSameRefund => "REPEAT_SAME_REFUND",
            Self::ResolveOpenRefund => "RESOLVE_OPEN_REFUND",
            Self::FixMerchantAccount => "FIX_MERCHANT_ACCOUNT",
            Self::FixDeployment => "FIX_DEPLOYMENT",
            Self::AskSunmi => "ASK_SUNMI",
        }
    }
}

/// A row of the error table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name in the contract, without prefix. Faults that a caller would treat alike
    /// share one.
    pub reason: &'static str,
    /// The gRPC status.
    pub code: Code,
    /// What it says of the money when the call was a refund.
    pub on_refund: OnRefund,
    /// Whether this server tries again by itself.
    pub again: Again,
    /// Whether the caller is told how long to wait before trying again.
    pub retry_info: bool,
    /// What the caller should do.
    pub next_step: NextStep,
    /// The status message.
    pub message: &'static str,
}

/// Everything that can go wrong with a call. One row of the table each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the table's messages say what each is")]
pub enum Fault {
    ServiceUnavailable,
    InsufficientAuthorization,
    ParameterMissing,
    ServerParameterMissing,
    ParameterIllegal,
    TransactionEnded,
    MerchantNotFound,
    SignatureRejected,
    OrderNumberIllegal,
    OrderNotFound,
    TransactionNotSupported,
    RefundAmountWrong,
    DeviceLacksAlipayAuthorization,
    AlipayAuthorizationMissing,
    MerchantIllegal,
    ParameterRequired,
    ServerParameterRequired,
    NotARefundOrder,
    AlipayRefundCallFailed,
    ParameterMalformed,
    VendorIllegal,
    IpIllegal,
    TooManyRequests,
    SystemError,
    PaymentChannelNotOpened,
    TransactionInvalid,
    SameDayPartialRefundNotSupported,
    SunmiCodeUnrecognized,
    RequestInvalid,
    UpstreamUnreachable,
    UpstreamInterrupted,
    UpstreamHttpUnavailable,
    UpstreamHttpThrottled,
    UpstreamHttpRefused,
    UpstreamHttpOther,
    UpstreamReplyUnreadable,
    DeadlineExceeded,
    Overloaded,
    LedgerUnavailable,
    RefundOrderIdReused,
    RefundInFlight,
    RefundNotApplied,
    RefundOutcomeUnknown,
    LedgerUnread,
    RefundNotFound,
    CallerUnauthenticated,
    CallerNotAllowed,
    Internal,
}

impl Fault {
    /// Every fault, in the order of the table.
    pub const ALL: [Self; 48] = [
        Self::ServiceUnavailable,
        Self::InsufficientAuthorization,
        Self::ParameterMissing,
        Self::ServerParameterMissing,
        Self::ParameterIllegal,
        Self::TransactionEnded,
        Self::MerchantNotFound,
        Self::SignatureRejected,
        Self::OrderNumberIllegal,
        Self::OrderNotFound,
        Self::TransactionNotSupported,
        Self::RefundAmountWrong,
        Self::DeviceLacksAlipayAuthorization,
        Self::AlipayAuthorizationMissing,
        Self::MerchantIllegal,
        Self::ParameterRequired,
        Self::ServerParameterRequired,
        Self::NotARefundOrder,
        Self::AlipayRefundCallFailed,
        Self::ParameterMalformed,
        Self::VendorIllegal,
        Self::IpIllegal,
        Self::TooManyRequests,
        Self::SystemError,
        Self::PaymentChannelNotOpened,
        Self::TransactionInvalid,
        Self::SameDayPartialRefundNotSupported,
        Self::SunmiCodeUnrecognized,
        Self::RequestInvalid,
        Self::UpstreamUnreachable,
        Self::UpstreamInterrupted,
        Self::UpstreamHttpUnavailable,
        Self::UpstreamHttpThrottled,
        Self::UpstreamHttpRefused,
        Self::UpstreamHttpOther,
        Self::UpstreamReplyUnreadable,
        Self::DeadlineExceeded,
        Self::Overloaded,
        Self::LedgerUnavailable,
        Self::RefundOrderIdReused,
        Self::RefundInFlight,
        Self::RefundNotApplied,
        Self::RefundOutcomeUnknown,
        Self::LedgerUnread,
        Self::RefundNotFound,
        Self::CallerUnauthenticated,
        Self::CallerNotAllowed,
        Self::Internal,
    ];

    /// The table. Statuses follow AIP-193: where only this deployment can be at fault the
    /// caller is not blamed, and what depends on the state of the trade is
    /// FAILED_PRECONDITION.
    #[rustfmt::skip]
    #[allow(clippy::too_many_lines, reason = "a table has as many lines as it has rows")]
    pub fn row(self) -> Row {
        use {Again::*, Code::*, NextStep::*, OnRefund::*};
        // What the columns of one row stand for; RetryInfo goes with what `waits` names.
        let row = |reason, code, on_refund, again, next_step, message| Row {
            reason, code, on_refund, again, next_step, message,
            retry_info: self.waits(),
        };
        match self {
            Self::ServiceUnavailable => row("SERVICE_UNAVAILABLE", Unavailable, OnRefund::Unknown, Reads, Retry, "Sunmi's service is unavailable"),
            Self::InsufficientAuthorization => row("INSUFFICIENT_AUTHORIZATION", PermissionDenied, NotApplied, Never, FixDeployment, "this app_id is not authorized by Sunmi for the call"),
            Self::ParameterMissing => row("PARAMETER_MISSING", InvalidArgument, NotApplied, Never, FixRequest, "Sunmi misses a required parameter"),
            Self::ServerParameterMissing => row("PARAMETER_MISSING", Internal, NotApplied, Never, FixDeployment, "Sunmi misses a required parameter that this server makes"),
            Self::ParameterIllegal => row("PARAMETER_ILLEGAL", InvalidArgument, NotApplied, Never, FixRequest, "Sunmi finds a parameter illegal"),
            Self::TransactionEnded => row("TRANSACTION_ENDED", FailedPrecondition, Look, Never, FixRequest, "the transaction has ended"),
            Self::MerchantNotFound => row("MERCHANT_NOT_FOUND", FailedPrecondition, NotApplied, Never, FixMerchantAccount, "the merchant does not exist at Sunmi"),
            Self::SignatureRejected => row("SIGNATURE_REJECTED", Internal, NotApplied, Never, FixDeployment, "Sunmi rejected the signature: the app key is wrong"),
            Self::OrderNumberIllegal => row("ORDER_NUMBER_ILLEGAL", InvalidArgument, Look, Never, FixRequest, "Sunmi finds the order number illegal"),
            Self::OrderNotFound => row("ORDER_NOT_FOUND", NotFound, Look, Never, FixRequest, "Sunmi knows no such order"),
            Self::TransactionNotSupported => row("TRANSACTION_NOT_SUPPORTED", FailedPrecondition, Look, Never, FixRequest, "the transaction does not support this call"),
            Self::RefundAmountWrong => row("REFUND_AMOUNT_WRONG", FailedPrecondition, Look, Never, FixRequest, "the refund amount is wrong; it may exceed what is left to refund"),
            Self::DeviceLacksAlipayAuthorization => row("DEVICE_LACKS_ALIPAY_AUTHORIZATION", FailedPrecondition, NotApplied, Never, FixMerchantAccount, "the device has no Alipay authorization"),
            Self::AlipayAuthorizationMissing => row("ALIPAY_AUTHORIZATION_MISSING", FailedPrecondition, NotApplied, Never, FixMerchantAccount, "there is no Alipay authorization"),
            Self::MerchantIllegal => row("MERCHANT_ILLEGAL", PermissionDenied, NotApplied, Never, FixMerchantAccount, "Sunmi finds the merchant illegal"),
            Self::ParameterRequired => row("PARAMETER_REQUIRED", InvalidArgument, NotApplied, Never, FixRequest, "Sunmi requires a parameter that is missing"),
            Self::ServerParameterRequired => row("PARAMETER_REQUIRED", Internal, NotApplied, Never, FixDeployment, "Sunmi requires a parameter that this server makes"),
            Self::NotARefundOrder => row("NOT_A_REFUND_ORDER", FailedPrecondition, Look, Never, FixRequest, "the order is not a refund order"),
            Self::AlipayRefundCallFailed => row("ALIPAY_REFUND_CALL_FAILED", Unavailable, OnRefund::Unknown, Reads, Retry, "Sunmi's call to Alipay failed"),
            Self::ParameterMalformed => row("PARAMETER_MALFORMED", InvalidArgument, NotApplied, Never, FixRequest, "Sunmi finds a parameter malformed"),
            Self::VendorIllegal => row("VENDOR_ILLEGAL", PermissionDenied, NotApplied, Never, FixDeployment, "Sunmi finds the software vendor, package or device illegal"),
            Self::IpIllegal => row("IP_ILLEGAL", Internal, NotApplied, Never, FixDeployment, "Sunmi does not admit this server's IP address"),
            Self::TooManyRequests => row("TOO_MANY_REQUESTS", ResourceExhausted, Look, Reads, Retry, "Sunmi asks for fewer requests"),
            Self::SystemError => row("SYSTEM_ERROR", Unavailable, OnRefund::Unknown, Reads, Retry, "an error inside Sunmi"),
            Self::PaymentChannelNotOpened => row("PAYMENT_CHANNEL_NOT_OPENED", FailedPrecondition, NotApplied, Never, FixMerchantAccount, "the merchant has not opened this payment channel"),
            Self::TransactionInvalid => row("TRANSACTION_INVALID", FailedPrecondition, Look, Never, FixRequest, "the transaction is invalid"),
            Self::SameDayPartialRefundNotSupported => row("SAME_DAY_PARTIAL_REFUND_NOT_SUPPORTED", FailedPrecondition, Look, Never, FixRequest, "a trade of the same day cannot be refunded in part"),
            Self::SunmiCodeUnrecognized => row("SUNMI_CODE_UNRECOGNIZED", Code::Unknown, OnRefund::Unknown, Never, AskSunmi, "Sunmi answered a code that this version does not know"),
            Self::RequestInvalid => row("REQUEST_INVALID", InvalidArgument, NotAttempted, Never, FixRequest, "the request breaks a rule; see the field violations"),
            Self::UpstreamUnreachable => row("UPSTREAM_UNREACHABLE", Unavailable, NotApplied, Any, Retry, "no connection to Sunmi could be made; nothing was sent"),
            Self::UpstreamInterrupted => row("UPSTREAM_INTERRUPTED", Unavailable, OnRefund::Unknown, Reads, Retry, "the call to Sunmi broke off, or its answer did not come in time"),
            Self::UpstreamHttpUnavailable => row("UPSTREAM_HTTP_ERROR", Unavailable, OnRefund::Unknown, Reads, Retry, "Sunmi answered an HTTP server error"),
            Self::UpstreamHttpThrottled => row("UPSTREAM_HTTP_ERROR", ResourceExhausted, OnRefund::Unknown, Reads, Retry, "Sunmi answered HTTP 429, too many requests"),
            Self::UpstreamHttpRefused => row("UPSTREAM_HTTP_ERROR", Internal, OnRefund::Unknown, Never, FixDeployment, "Sunmi refused the HTTP request"),
            Self::UpstreamHttpOther => row("UPSTREAM_HTTP_ERROR", Internal, OnRefund::Unknown, Never, FixDeployment, "Sunmi answered an HTTP status that it should not"),
            Self::UpstreamReplyUnreadable => row("UPSTREAM_REPLY_UNREADABLE", Internal, OnRefund::Unknown, Never, AskSunmi, "Sunmi's answer could not be read"),
            Self::DeadlineExceeded => row("DEADLINE_EXCEEDED", Code::DeadlineExceeded, NotAttempted, Never, Retry, "the deadline left no time to finish"),
            Self::Overloaded => row("OVERLOADED", ResourceExhausted, NotAttempted, Never, Retry, "this server has too many calls under way; nothing was sent"),
            Self::LedgerUnavailable => row("LEDGER_UNAVAILABLE", Unavailable, NotAttempted, Never, RepeatSameRefund, "the refund ledger could not be written; nothing was sent"),
            Self::RefundOrderIdReused => row("REFUND_ORDER_ID_REUSED", FailedPrecondition, NotAttempted, Never, FixRequest, "this order_id was used for a refund with other content"),
            Self::RefundInFlight => row("REFUND_IN_FLIGHT", FailedPrecondition, NotAttempted, Never, ResolveOpenRefund, "another refund of this payment is open: its outcome is not known yet"),
            Self::RefundNotApplied => row("REFUND_NOT_APPLIED", Aborted, NotApplied, Never, RepeatSameRefund, "an earlier attempt is now known not to have moved money"),
            Self::RefundOutcomeUnknown => row("REFUND_OUTCOME_UNKNOWN", Code::Unknown, OnRefund::Unknown, Never, RepeatSameRefund, "it is not known whether the refund happened"),
            Self::LedgerUnread => row("LEDGER_UNAVAILABLE", Unavailable, NotAttempted, Never, Retry, "the refund ledger could not be read; nothing was sent"),
            Self::RefundNotFound => row("REFUND_NOT_FOUND", NotFound, NotAttempted, Never, FixRequest, "the refund ledger has no such refund that this caller may see"),
            Self::CallerUnauthenticated => row("CALLER_UNAUTHENTICATED", Unauthenticated, NotAttempted, Never, FixDeployment, "the caller is not authenticated"),
            Self::CallerNotAllowed => row("CALLER_NOT_ALLOWED", PermissionDenied, NotAttempted, Never, FixDeployment, "the caller is not allowed to make this call"),
            Self::Internal => row("INTERNAL", Code::Internal, NotAttempted, Never, AskSunmi, "a fault of this server"),
        }
    }

    /// Whether waiting helps, so that the caller is told how long.
    fn waits(self) -> bool {
        matches!(
            self,
            Self::ServiceUnavailable
                | Self::AlipayRefundCallFailed
                | Self::TooManyRequests
                | Self::SystemError
                | Self::UpstreamUnreachable
                | Self::UpstreamInterrupted
                | Self::UpstreamHttpUnavailable
                | Self::UpstreamHttpThrottled
                | Self::Overloaded
                | Self::LedgerUnavailable
                | Self::LedgerUnread
                | Self::RefundInFlight
                | Self::RefundOutcomeUnknown
        )
    }

    /// The fault that has this reason in the contract; the first one, where several share it.
    pub fn of_reason(reason: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.row().reason == reason)
    }

    /// What an error with this fault says of the money when the call was a refund, unless more
    /// is known.
    pub fn refund_outcome(self) -> RefundOutcome {
        match self.row().on_refund {
            // Said only after looks bore it out.
            OnRefund::NotApplied | OnRefund::Look => RefundOutcome::NotApplied,
            OnRefund::NotAttempted => RefundOutcome::NotAttempted,
            OnRefund::Unknown => RefundOutcome::Unknown,
        }
    }
}

/// What is known of a refund whose call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundOutcome {
    /// No money moved under this number.
    NotApplied,
    /// This call sent nothing.
    NotAttempted,
    /// The money may have moved.
    Unknown,
}

impl RefundOutcome {
    /// Its name in the contract, without prefix.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotApplied => "NOT_APPLIED",
            Self::NotAttempted => "NOT_ATTEMPTED",
            Self::Unknown => "UNKNOWN",
        }
    }
}
