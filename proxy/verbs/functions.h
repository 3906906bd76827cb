// SPDX-License-Identifier: Apache-2.0
// The functions behind the table's rows. Each gets checked arguments, prints its result and returns the exit status.
#pragma once

#include "proxy/verbs/verb.h"

namespace ptygate::verbs {

using Run = int(const Arguments&, const Caller&);

Run serve, worker, init, reload, gateStatus;                                // serve.cpp, worker.cpp, init.cpp, desk_verbs.cpp
Run pending, showHold, approve, deny, review, watchSession, followSession;  // desk_verbs.cpp, review.cpp, watch.cpp
Run agentWait, agentCancel, whoami, agentsList, agentsStop, agentsResume;   // desk_verbs.cpp
Run listSessions, replay, exportSession;                                    // record_verbs.cpp, replay.cpp
Run policyCheck, policyExplain, policyDecompose;                            // policy_verbs.cpp
Run certsShow, certsInspect;                                                // certs_verbs.cpp
Run targetsList, targetsShow, targetsSetUp, targetsAccept;                  // target_verbs.cpp

}  // namespace ptygate::verbs
