// One customer's attributes, and the values of the orders' lines, where the model reads any.
const facts = [...document.querySelectorAll("[data-attribute]")];
const columns = [...document.querySelectorAll("[data-values]")];

const clearFields = () => { for (const each of [...facts, ...columns]) each.value = ""; };

const refuse = (message, hint) => { throw Object.assign(new Error(message), { refusal: { message, hint } }); };

// The record of lines of orders, with what the fields have; order k is at line `lines[k]`.
const recordOf = (orders, lines) => {
  const record = { customer_id: "customer", orders };
  const known = facts.filter(each => each.value.trim());
  if (known.length)
    record.attributes = Object.fromEntries(known.map(each => [each.dataset.attribute, each.value.trim()]));
  for (const column of columns) {
    const name = column.dataset.values, rows = column.value.split("\n");
    const beyond = rows.findIndex((row, at) => row.trim() && !lines.includes(at));
    if (beyond >= 0)
      refuse(`${name}: line ${beyond + 1} has a value, and no order stands in that line.`,
        "Write the values of each order in its own line.");
    orders.forEach((order, k) => {
      const cells = (rows[lines[k]] ?? "").split(",").map(cell => cell.trim() || null);
      order.values = { ...order.values, [name]: cells };
    });
  }
  return record;
};

// A request in JSON has its own: two sources would hide one another.
const refuseFields = () => {
  const filled = [...facts, ...columns].find(each => each.value.trim());
  if (filled)
    refuse("The fields below the orders are for lines of orders, and this is JSON.",
      `Write attributes and values into the JSON, or empty the field ${filled.labels[0].textContent}.`);
};

// The field that a problem is about; undefined: none of these.
const fieldAbout = name => facts.find(each => name === `attributes.${each.dataset.attribute}`)
  ?? (/^orders\[\d+\]\.(values|buckets)/.test(name) ? columns[0] : undefined);
