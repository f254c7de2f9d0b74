// Runs a declarative Jenkinsfile: parses it with Groovy, as Jenkins does, and prints
// the arguments of its steps. Sections, conditions and steps that are not listed here,
// or are in the wrong place, are errors.
// Arguments: the file, then VARIABLE=value.
import org.codehaus.groovy.control.CompilerConfiguration

variables = args.drop(1).collectEntries { def (name, value) = it.split('=', 2); [name, value] }

class Block {
  Map env
  Map params
  Object env() { env }
  def run(Closure body) {
    body.delegate = this
    body.resolveStrategy = Closure.DELEGATE_FIRST
    body()
  }
  def propertyMissing(String name) { throw new IllegalStateException("${getClass().simpleName} does not support ${name}") }
  def methodMissing(String name, Object given) { throw new IllegalStateException("${getClass().simpleName} does not support ${name}") }
}

class Pipeline extends Block {
  boolean hasStages
  final any = 'any'
  void agent(where) { assert where == 'any' }
  void options(Closure body) { new Options(env: env, params: params).run(body) }
  void parameters(Closure body) { new Parameters(env: env, params: params).run(body) }
  void environment(Closure body) { body.delegate = [:] as Expando; body.resolveStrategy = Closure.DELEGATE_FIRST; body() }
  void stages(Closure body) { hasStages = true; new Stages(env: env, params: params).run(body) }
  void post(Closure body) { new Post(env: env, params: params).run(body) }
}

class Options extends Block {
  void disableConcurrentBuilds() {}
  void timeout(Map of) { assert of.keySet() == ['time', 'unit'] as Set }
}

class Parameters extends Block {
  void choice(Map of) {
    assert of.keySet() == ['name', 'choices', 'description'] as Set
    params[of.name] = env[of.name] ?: of.choices[0]
    assert params[of.name] in of.choices
  }
}

class Stages extends Block {
  void stage(String name, Closure body) {
    def s = new Stage(env: env, params: params, name: name)
    s.run(body)
    s.play()
  }
}

// Jenkins requests input before it evaluates the conditions, unless beforeInput is true.
class Stage extends Block {
  String name
  Closure steps, stages, input
  boolean applies = true, beforeInput
  void when(Closure body) { def w = new When(env: env, params: params); w.run(body); applies = w.all(); beforeInput = w.early }
  void input(Closure body) { input = body }
  void steps(Closure body) { steps = body }
  void stages(Closure body) { stages = body }
  void play() {
    if ((steps == null) == (stages == null)) throw new IllegalStateException("stage ${name} must have either steps or stages")
    if (input && !beforeInput) throw new IllegalStateException("stage ${name} requests input on every branch; set beforeInput true")
    if (!applies) return
    if (input) new Input().run(input)
    if (steps) new Steps(env: env, params: params).run(steps)
    if (stages) new Stages(env: env, params: params).run(stages)
  }
}

class Input extends Block {
  void message(String text) { println "input ${text}" }
}

class When extends Block {
  List results = []
  boolean early
  boolean all() { results && results.every() }
  void beforeInput(boolean value) { early = value }
  void environment(Map of) { results << (env[of.name] == of.value) }
  void expression(Closure body) { results << (run(body) as boolean) }
  void anyOf(Closure body) { def w = new When(env: env, params: params); w.run(body); assert w.results.size() > 1; results << w.results.any() }
  // CHANGED is a changed file, CAUSE the cause of the build, PREVIOUS the result of the previous build.
  void changeset(String pattern) { assert pattern.endsWith('/**'); results << (env.CHANGED ?: '').startsWith(pattern - '**') }
  void triggeredBy(String cause) { results << (env.CAUSE == cause) }
  Map getCurrentBuild() { [previousBuild: env.PREVIOUS ? [result: env.PREVIOUS] : null] }
  void not(Closure body) { def w = new When(env: env, params: params); w.run(body); results << !w.all() }
}

class Steps extends Block {
  void sh(String script) { println "sh ${script}" }
  Map file(Map of) { println "file ${of.credentialsId}"; of }
  Map string(Map of) { of }
  Map usernamePassword(Map of) { of }
  void withCredentials(List of, Closure body) {
    of.each { assert it.credentialsId }
    run(body)
  }
}

class Post extends Block {
  void always(Closure body) { new Archive().run(body) }
}

class Archive extends Block {
  void archiveArtifacts(Map of) { assert of.artifacts }
}

abstract class Play extends Script {
  void pipeline(Closure body) {
    def p = new Pipeline(env: binding.variables, params: [:])
    p.run(body)
    if (!p.hasStages) throw new IllegalStateException('the pipeline has no stages')
    played = true
  }
  static boolean played
}

def configuration = new CompilerConfiguration(scriptBaseClass: Play.name)
new GroovyShell(getClass().classLoader, new Binding(variables), configuration).evaluate(new File(args[0]))
if (!Play.played) throw new IllegalStateException('the file has no pipeline')
