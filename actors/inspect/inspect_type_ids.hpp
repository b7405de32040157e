#pragma once
// CAF's ids of what the InspectActor takes and gives: a block of its own behind type_ids.hpp, so
// that nobody else has to know Protobuf's questions. init_type_ids() declares it, too.

#include "actors/inspect/inspect_messages.hpp"
#include "actors/type_ids.hpp"

CAF_BEGIN_TYPE_ID_BLOCK(cairn_inspect, caf::id_block::cairn::end)

CAF_ADD_TYPE_ID(cairn_inspect, (cairn::actors::inspect_question))
CAF_ADD_TYPE_ID(cairn_inspect, (cairn::actors::inspect_reply))
CAF_ADD_TYPE_ID(cairn_inspect, (cairn::actors::inspect_done))
CAF_ADD_TYPE_ID(cairn_inspect, (cairn::actors::inspect_wake))
CAF_ADD_TYPE_ID(cairn_inspect, (cairn::actors::inspect_alarm))
CAF_ADD_TYPE_ID(cairn_inspect, (cairn::actors::trace_question))
CAF_ADD_TYPE_ID(cairn_inspect, (cairn::actors::trace_through))
CAF_ADD_TYPE_ID(cairn_inspect, (cairn::actors::trace_alarm))

CAF_END_TYPE_ID_BLOCK(cairn_inspect)

// Between actors of one process only: serializing one is a bug and fails.
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::inspect_question)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::inspect_reply)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::inspect_done)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::inspect_wake)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::inspect_alarm)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::trace_question)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::trace_through)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::trace_alarm)
