#pragma once
// The one block of CAF type ids. Ids follow from the order. Only the first type crosses processes:
// leave it first, and append to the rest. Every program calls init_type_ids() before it makes an
// actor_system.

#include "actors/inspect.hpp"
#include "actors/messages.hpp"
#include "actors/peer_envelope.hpp"
#include "actors/peer_hub.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/is_error_code_enum.hpp>
#include <caf/type_id.hpp>

CAF_BEGIN_TYPE_ID_BLOCK(cairn, caf::first_custom_type_id)

CAF_ADD_TYPE_ID(cairn, (cairn::actors::peer_envelope))
CAF_ADD_TYPE_ID(cairn, (cairn::errc))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::append_batch))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::append_outcomes))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::await_commit))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::log_advanced))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::wait_alarm))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::segment_read))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::cold_read))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::cold_read_done))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::read_outcome))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::segment_sealed))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::watch_log))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::run_chores))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::chores_done))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::apply_retention))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::flush_group))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::close_log))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::log_closed))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::describe))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::actor_report))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::actor_started))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::actor_stopped))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::list_actors))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::actor_list))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::list_alarm))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::ask_log))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::log_report))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::log_fenced))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::persist))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::persisted))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::reserve_room))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::room_reserved))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::load_entries))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::loaded))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::attach_raft))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::log_trimmed))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::link_changed))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::watch_raft))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::raft_changed))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::change_members))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::transfer_lead))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::raft_request_done))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::ask_raft))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::raft_report))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::change_cluster))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::cluster_change_done))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::ask_cluster))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::cluster_report))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::read_barrier))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::barrier_passed))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::raft_tick))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::cluster_tick))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::serves_clients))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::save_sessions))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::sessions_saved))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::sessions_wanted))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::ask_timeline))
CAF_ADD_TYPE_ID(cairn, (cairn::actors::entry_timeline))

CAF_END_TYPE_ID_BLOCK(cairn)

// Between actors of one process only: serializing one is a bug and fails.
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::persist)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::persisted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::reserve_room)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::room_reserved)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::load_entries)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::loaded)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::attach_raft)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::ask_timeline)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::entry_timeline)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::log_trimmed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::watch_raft)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::raft_changed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::change_members)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::transfer_lead)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::raft_request_done)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::ask_raft)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::raft_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::change_cluster)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::cluster_change_done)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::ask_cluster)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::cluster_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::read_barrier)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::barrier_passed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::raft_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::cluster_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::serves_clients)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::save_sessions)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::sessions_saved)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(cairn::actors::sessions_wanted)

// caf::error carries our codes one to one.
CAF_ERROR_CODE_ENUM(cairn::errc)

namespace cairn::actors {

/// Tells CAF about its own types and ours. Once per process, before the first actor_system; later
/// calls do nothing.
void init_type_ids();

}  // namespace cairn::actors
