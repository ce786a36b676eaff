// What every page runs.
import { watch } from "./live.js";
import { charts } from "./charts.js";
import { keys } from "./keys.js";
import { actions } from "./actions.js";
import { aggregate } from "./aggregate.js";
import { refresh } from "./refresh.js";

const drawn = charts();
const connection = watch(drawn);
keys();
actions();
aggregate();
refresh(connection);
